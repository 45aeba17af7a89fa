"""Reports as single HTML files: their style, their charts, and the policy by which they load nothing."""
