"""The configuration: where it comes from, what it refuses, and how it says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from bridge.addresses import split_listen
from bridge.config import Config
from bridge.config_sources import load, load_with_origins
from bridge.errors import ConfigError
from bridge.index_config import IndexConfig, StageConfig
from bridge.modes import Rollout
from connectors.base import KeepTop, Policy, TextField

URL = "http://engine:9200"
NO_TOKEN = "--admin-token: it must consist of printable ASCII characters, without spaces"
HOLDS = "queue_limit_pairs must hold one window at least, with all passages of its texts"


def problems(flags: dict[str, Any], file: Path | None = None, environ: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(flags, file, environ or {})
    assert str(caught.value) == "\n".join(caught.value.problems)
    return list(caught.value.problems)


def written(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_text(text)
    return file


def test_flags_win_over_the_environment_over_the_file(tmp_path: Path) -> None:
    """Each setting comes from the first of the sources that has it; what none has is the default."""
    file = written(
        tmp_path, "bridge.yaml", "upstream: http://file:1\nwindow: 30\nmodel: from-file\nlisten: 0.0.0.0:1\n"
    )
    environ = {"RERANK_BRIDGE_WINDOW": "40", "RERANK_BRIDGE_MODEL": "from-environment", "PATH": "/bin"}
    config = load({"model": "from-flag", "mode": None}, file, environ)
    assert (config.model_text, config.window, config.listen) == ("from-flag", 40, "0.0.0.0:1")
    assert (config.upstream, config.mode, config.engine) == (("http://file:1",), "on", "auto")


YAML_LIST = """
upstream: [http://a:1, http://b:2]
indices:
  - pattern: shop-*
    text_fields: [{name: t}]
"""
YAML_COMMA = """
upstream: http://a:1, http://b:2
indices: [{pattern: shop-*, text_fields: [{name: t}]}]
"""
TOML = """
upstream = "http://a:1,http://b:2"
[[indices]]
pattern = "shop-*"
text_fields = [{name = "t"}]
"""


@pytest.mark.parametrize(("name", "text"), [("b.yaml", YAML_LIST), ("b.yml", YAML_COMMA), ("b.toml", TOML)])
def test_files_in_both_formats(tmp_path: Path, name: str, text: str) -> None:
    """YAML and TOML say the same; several addresses are a list or separated by commas."""
    config = load({}, written(tmp_path, name, text), {})
    assert config.upstream == ("http://a:1", "http://b:2")
    assert config.policy(("shop-1",)).text_fields == (TextField("t"),)


def test_every_setting_can_stand_in_the_environment() -> None:
    """Numbers, lists and paths are read from text, index settings from JSON."""
    environ = {
        "RERANK_BRIDGE_UPSTREAM": "http://a:1, http://b:2",
        "RERANK_BRIDGE_INDICES": '[{"pattern": "*", "text_fields": [{"name": "t", "label": "L", "max_chars": 5}]}]',
        "RERANK_BRIDGE_SCORE_TIMEOUT_S": "0.5",
        "RERANK_BRIDGE_UPSTREAM_CA_FILE": __file__,
    }
    config = load({}, None, environ)
    assert (config.upstream, config.score_timeout_s) == (("http://a:1", "http://b:2"), 0.5)
    assert config.upstream_ca_file == Path(__file__)
    assert config.policy(("any",)).text_fields == (TextField("t", "L", 5),)


def test_all_mistakes_are_reported_at_once_with_their_places(tmp_path: Path) -> None:
    """One message names every mistake of every source, in the words of that source."""
    file = written(
        tmp_path, "b.yaml", "windw: 5\nmodel_cache_mib: -1\nindices: [{pattern: a, text_fields: [{nam: t}]}]\n"
    )
    environ = {"RERANK_BRIDGE_MODE": "maybe", "RERANK_BRIDGE_NOSUCH": "1", "RERANK_BRIDGE_INDICES": "["}
    found = problems({"upstream": "localhost:9200", "listen": "here", "score_policy": "x"}, file, environ)
    in_flags = ["--listen", "--score-policy", "--upstream"]
    in_environment = ["RERANK_BRIDGE_INDICES", "RERANK_BRIDGE_MODE", "RERANK_BRIDGE_NOSUCH"]
    places = sorted(problem.rpartition(": ")[0].split(": ")[0] for problem in found)
    assert places == sorted([*in_flags, *in_environment, *[str(file)] * 4])


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({}, "upstream is missing: give --upstream, RERANK_BRIDGE_UPSTREAM or upstream in a file"),
        ({"upstream": " , "}, "--upstream: at least one address is needed"),
        ({"upstream": "ftp://a"}, "--upstream: 'ftp://a' is not an http:// or https:// address"),
        ({"upstream": "http://"}, "--upstream: 'http://' is not an http:// or https:// address"),
        ({"upstream": "http://a?x=1"}, "--upstream: 'http://a?x=1' must not carry a query string or fragment"),
        ({"upstream": URL, "window": 1}, "--window: Input should be greater than or equal to 2"),
        ({"upstream": URL, "window": 10_001}, "--window: Input should be less than or equal to 10000"),
        ({"upstream": URL, "upstream_ca_file": "/nosuch"}, "--upstream-ca-file: no such file: /nosuch"),
        ({"upstream": URL, "queue_limit_pairs": 50}, HOLDS),
        ({"upstream": URL, "queue_limit_pairs": 999, "long_documents": "best_passage"}, HOLDS),
        ({"upstream": URL, "indices": [{"pattern": "a", "window": 10_000, "long_documents": "best_passage"}]}, HOLDS),
        ({"upstream": URL, "keep_top": "3"}, "--keep-top: '3' is not FIRST/WITHIN, such as 3/10"),
        ({"upstream": URL, "keep_top": "3/2"}, "--keep-top: 3 hits don't fit within rank 2"),
        (
            {"upstream": URL, "indices": [{"pattern": "a", "model": "x,y"}]},
            "--indices.0.model: say how many texts of x the next model scores: x:30",
        ),
        ({"upstream": URL, "admin_listen": "9401"}, "--admin-listen: '9401' is not HOST:PORT"),
        ({"upstream": URL, "admin_token": "short"}, "--admin-token: String should have at least 16 characters"),
        ({"upstream": URL, "admin_token": "with spaces in it"}, NO_TOKEN),
        ({"upstream": URL, "share_header": "X User"}, "--share-header: 'X User' is not the name of a header field"),
        ({"upstream": URL, "share": 1.1}, "--share: Input should be less than or equal to 1"),
        ({"upstream": URL, "upstream_username": "u"}, "upstream_username and upstream_password go together"),
        ({"upstream": URL, "score_timeout_s": 0}, "--score-timeout-s: Input should be greater than 0"),
        ({"upstream": URL, "model": "a,b"}, "--model: say how many texts of a the next model scores: a:30"),
        (
            {"upstream": URL, "model": "a:5,b:3"},
            "--model: b:3 is the last stage, which keeps all: leave out the number, or add a model",
        ),
        (
            {"upstream": URL, "model": "a:30"},
            "--model: a:30 is the last stage, which keeps all: leave out the number, or add a model",
        ),
        ({"upstream": URL, "model": "a:5,a"}, "--model: each stage must have another model"),
        ({"upstream": URL, "model": "a:1,b"}, "--model.0.keep: Input should be greater than or equal to 2"),
        ({"upstream": URL, "model": " , "}, "--model: Tuple should have at least 1 item after validation, not 0"),
        (
            {"upstream": URL, "precision": "int4"},
            "--precision: Input should be 'auto', 'float32', 'bfloat16' or 'int8'",
        ),
        ({"upstream": URL, "instruction": "x" * 1_001}, "--instruction: String should have at most 1000 characters"),
        ({"upstream": URL, "score_cache_mib": 0}, "--score-cache-mib: Input should be greater than or equal to 1"),
    ],
)
def test_single_mistakes(settings: dict[str, Any], problem: str) -> None:
    """Each mistake is one line that says where and what."""
    assert problems(settings) == [problem]


def test_mistakes_that_concern_several_settings_are_all_reported() -> None:
    """Checks across settings do not hide each other."""
    settings = {"upstream": URL, "queue_limit_pairs": 50, "upstream_username": "u", "upstream_api_key": "k"}
    assert problems(settings) == [
        HOLDS,
        "upstream_username and upstream_password go together",
        "give either upstream_username or upstream_api_key",
    ]


@pytest.mark.parametrize(
    "address",
    [
        "htp://user:secret@engine:9200",
        "http://user:secret@engine:9200?x",
        "user:secret@engine:9200",
        "http://user:secret@engine:99999",
        "http://user:secret/1@engine:9200",
        "http://user:1/secret@engine:9200",
        "http://user:secret#1@engine:9200",
        "ftp://user:1@secret@engine:9200",
    ],
)
def test_a_bad_address_is_shown_without_its_password(address: str) -> None:
    """Errors may end up in logs and tickets; a password whose signs are not encoded is still one."""
    (problem,) = problems({"upstream": address})
    assert "secret" not in problem
    assert "@engine:9" in problem


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("b.yaml", "window: [", "while parsing"),
        ("b.toml", "window = ", "Invalid value"),
        ("b.yaml", "- a\n- b\n", "settings are expected as `name: value`, not a list"),
        ("b.yaml", "just words", "settings are expected as `name: value`, not a str"),
    ],
)
def test_files_that_can_not_be_read(tmp_path: Path, name: str, text: str, problem: str) -> None:
    """A broken file is one problem with its place, beside those of the other sources."""
    file = written(tmp_path, name, text)
    first, second = problems({}, file)
    assert first.startswith(f"{file}: {problem}")
    assert second.startswith("upstream is missing")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """A missing file is a problem; an empty one has no settings."""
    assert problems({"upstream": URL}, tmp_path / "nosuch.yaml") == [
        f"{tmp_path}/nosuch.yaml: No such file or directory"
    ]
    assert load({"upstream": URL}, written(tmp_path, "empty.yaml", ""), {}).window == 100


CASCADE = (StageConfig(name="embedded", keep=30), StageConfig(name="models/b:2/last", keep=None))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("b.yaml", "model: embedded:30, models/b:2/last"),
        ("b.yaml", "model: [embedded:30, models/b:2/last]"),
        ("b.yaml", "model: [{name: embedded, keep: 30}, {name: models/b:2/last}]"),
        ("b.toml", 'model = [{name = "embedded", keep = 30}, "models/b:2/last"]'),
    ],
)
def test_models_that_score_one_after_the_other(tmp_path: Path, name: str, text: str) -> None:
    """They stand in one line, or as a list in a file; a colon belongs to a name but for a number at its end."""
    config = load({"upstream": URL}, written(tmp_path, name, text), {})
    assert config.model == CASCADE
    assert config.model_text == "embedded:30,models/b:2/last"
    assert load({"upstream": URL, "model": config.model_text}, None, {}).model == CASCADE


@pytest.mark.parametrize(
    ("index", "expected"), [("shop-de", "of the shop"), ("plain", ""), ("other", "of all"), ("logs", "of all")]
)
def test_the_instruction_of_an_index(index: str, expected: str) -> None:
    """It is the index's own where it has one, an empty one too, and that of all where it has none."""
    indices = [
        {"pattern": "shop-*", "instruction": "of the shop"},
        {"pattern": "plain", "instruction": ""},
        {"pattern": "logs"},
    ]
    config = load({"upstream": URL, "indices": indices, "instruction": "of all"}, None, {})
    assert config.policy((index,)).instruction == expected


@pytest.mark.parametrize(
    ("index", "promote", "sort_override"), [("logs-1", True, True), ("shop-1", False, False), ("other", True, False)]
)
def test_what_an_index_promotes_and_overrides(index: str, *, promote: bool, sort_override: bool) -> None:
    """An index has its own word, else that of all holds."""
    indices = [{"pattern": "logs-*", "sort_override": True}, {"pattern": "shop-*", "promote": False}]
    policy = load({"upstream": URL, "indices": indices, "promote": True}, None, {}).policy((index,))
    assert (policy.promote, policy.sort_override) == (promote, sort_override)


def test_the_words_of_an_index() -> None:
    """Pointer and template reach the searches of the indices that match; what can't be followed is refused at once."""
    indices: list[dict[str, Any]] = [{"pattern": "shop", "query_pointer": "/ext/q", "query_text": "{q} in {/ext/c}"}]
    config = load({"upstream": URL, "indices": indices}, None, {})
    shop, other = config.policy(("shop",)), config.policy(("other",))
    assert (shop.query_pointer, shop.query_text) == ("/ext/q", "{q} in {/ext/c}")
    assert (other.query_pointer, other.query_text) == ("", "")
    wrong = [{"pattern": "shop", "query_pointer": "ext/q", "query_text": "{q"}]
    pointer, template = problems({"upstream": URL, "indices": wrong})
    assert "'ext/q' is not a JSON pointer" in pointer
    assert "'{q' has braces" in template


INDICES = (
    {"pattern": "shop-de", "text_fields": [{"name": "titel"}]},
    {"pattern": "shop-*", "text_fields": [{"name": "title", "label": "Title", "max_chars": 80}, {"name": "body"}]},
    {"pattern": "logs"},
)
TITLE_BODY = (TextField("title", "Title", 80), TextField("body"))


@pytest.mark.parametrize(
    ("indices", "fields", "pattern"),
    [
        (("shop-de",), (TextField("titel"),), "shop-de"),
        (("shop-en",), TITLE_BODY, "shop-*"),
        (("other", "shop-en"), TITLE_BODY, "shop-*"),
        (("logs",), (), "logs"),
        (("other",), (), ""),
        ((), (), ""),
    ],
)
def test_the_policy_of_an_index(indices: tuple[str, ...], fields: tuple[TextField, ...], pattern: str) -> None:
    """The first pattern that matches an index of the search says which fields are read."""
    config = Config.model_validate({"upstream": URL, "indices": INDICES, "window": 7, "score_policy": "keep"})
    expected = Policy(scoring="embedded", window=7, text_fields=fields, score_policy="keep", pattern=pattern)
    assert config.policy(indices) == expected


OWN = {
    "mode": "off",
    "share": 0.3,
    "instruction": "of the shop",
    "model": "a:30,b",
    "ranking": "blend",
    "blend_weight": 0.4,
    "score_timeout_s": 0.5,
    "score_policy": "keep",
    "window": 50,
    "long_documents": "best_passage",
    "passages_per_document": 4,
    "exact_fields": "sku, _id",
    "keep_top": "2/5",
    "boost_weight": 0.3,
    "min_last_word_letters": 0,
    "promote": True,
    "sort_override": True,
    "rescore": "rerank",
}


def test_an_index_may_have_each_of_its_settings_for_itself() -> None:
    """What an entry says wins; every other index has the settings of all."""
    assert OWN.keys() == IndexConfig.model_fields.keys() & Config.model_fields.keys()
    config = load({"upstream": URL, "indices": [{"pattern": "shop-*", **OWN}]}, None, {})
    assert config.policy(("shop-de",)) == Policy(
        is_on=False,
        scoring="a:30,b ranking=blend blend_weight=0.4 timeout_s=0.5 passages=4",
        window=50,
        instruction="of the shop",
        score_policy="keep",
        min_last_word_letters=0,
        promote=True,
        sort_override=True,
        rescore="rerank",
        long_documents="best_passage",
        exact_fields=("sku", "_id"),
        keep_top=KeepTop(2, 5),
        boost_weight=0.3,
        pattern="shop-*",
    )
    assert config.policy(("other",)) == Policy(scoring="embedded")
    assert config.rollout(("shop-de",)) == Rollout("off", 0.3)
    assert config.rollout(("other",)) == Rollout("on", 1.0)


def test_an_index_falls_back_to_the_settings_of_all() -> None:
    """An entry that says nothing of a setting has that of all, whatever it is."""
    general = {name: value for name, value in OWN.items() if name != "mode"}
    config = load({"upstream": URL, "indices": [{"pattern": "shop-*"}], **general}, None, {})
    assert replace(config.policy(("shop-de",)), pattern="") == config.policy(("other",))
    assert config.policy(("shop-de",)).keep_top == KeepTop(2, 5)


@pytest.mark.parametrize(
    ("general", "own", "is_on"), [("on", "off", False), ("on", None, True), ("off", "on", False), ("off", None, False)]
)
def test_a_bridge_that_is_off_is_off_for_every_index(general: str, own: str | None, *, is_on: bool) -> None:
    """An operator's switch wins over a file; an index can be off by itself."""
    config = load({"upstream": URL, "mode": general, "indices": [{"pattern": "shop", "mode": own}]}, None, {})
    assert config.policy(("shop",)).is_on == is_on


@pytest.mark.parametrize("name", ["b.yaml", "b.toml"])
@pytest.mark.parametrize("mode", ["on", "off", "shadow"])
def test_a_mode_is_written_as_a_word(tmp_path: Path, name: str, mode: str) -> None:
    """Without quotes, which YAML 1.1 reads as true and false where it is on or off; for all indices and for one."""
    in_yaml = f"upstream: {URL}\nmode: {mode}\nadmin_listen: off\nindices: [{{pattern: a, mode: {mode}}}]"
    in_toml = f'upstream="{URL}"\nmode="{mode}"\nadmin_listen="off"\nindices=[{{pattern="a", mode="{mode}"}}]'
    config = load({}, written(tmp_path, name, in_yaml if name == "b.yaml" else in_toml), {})
    assert (config.mode, config.indices[0].mode, config.admin_address) == (mode, mode, None)


OPEN = [
    ("127.0.0.1:0", None, False),
    ("localhost:9401", None, False),
    ("[::1]:9401", None, False),
    ("0.0.0.0:9401", None, True),
    ("[::]:9401", None, True),
    ("10.0.0.1:9401", None, True),
    ("bridge.example:9401", None, True),
    ("0.0.0.0:9401", "0123456789abcdef", False),
    ("off", None, False),
]


@pytest.mark.parametrize(("address", "token", "is_refused"), OPEN)
def test_nobody_administers_from_afar_without_a_token(address: str, token: str | None, *, is_refused: bool) -> None:
    """A port that other machines reach, and whoever reaches it may switch: that is a mistake of the configuration."""
    flags = {"upstream": URL, "admin_listen": address, "admin_token": token}
    if is_refused:
        (problem,) = problems(flags)
        assert problem.startswith("admin_token is needed")
    else:
        assert load(flags, None, {}).admin_listen == address


def test_each_setting_is_known_by_where_it_comes_from(tmp_path: Path) -> None:
    """The flag, the variable or the file that won; nothing for a default."""
    file = written(tmp_path, "bridge.yaml", f"upstream: {URL}\nwindow: 30\nmodel: a\n")
    loaded = load_with_origins({"model": "b", "mode": None}, file, {"RERANK_BRIDGE_WINDOW": "40"})
    assert loaded.origins == {"upstream": str(file), "window": "RERANK_BRIDGE_WINDOW", "model": "--model"}
    assert loaded.config == load({"model": "b"}, file, {"RERANK_BRIDGE_WINDOW": "40"})


SOME = (
    {"pattern": "a", "model": "own"},
    {"pattern": "b", "model": "own"},
    {"pattern": "c", "score_timeout_s": 2},
    {"pattern": "d", "mode": "off", "model": "never"},
)


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({}, ["embedded"]),
        ({"indices": SOME}, ["embedded", "own", "embedded timeout_s=2.0"]),
        ({"indices": [*SOME, {"pattern": "*", "mode": "off"}]}, ["own", "embedded timeout_s=2.0"]),
        ({"indices": [{"pattern": "*", "model": "own"}, *SOME]}, ["own"]),
        ({"indices": [{"pattern": "*", "mode": "off"}]}, []),
        ({"mode": "off", "indices": SOME}, []),
    ],
)
def test_the_ways_to_score_that_searches_may_need(settings: dict[str, Any], names: list[str]) -> None:
    """Equal ones once; none for indices that are off, nor where a pattern before leaves them no search."""
    config = load({"upstream": URL, **settings}, None, {})
    assert list(config.scorings()) == names
    used = {config.policy((index,)).scoring for index in "abcdz" if config.policy((index,)).is_on}
    assert used <= set(names)


@pytest.mark.parametrize(
    ("indices", "instruction"),
    [
        (("shop-de",), "shop"),
        (("logs", "shop-de"), "shop"),
        (("other", "logs"), "logs"),
        (("shop-*",), "shop"),
        (("sh*",), "all"),
        (("*", "-shop-de"), "everything"),
        (("other", "-eu:logs"), "all"),
        (("*",), "everything"),
        (("_all",), "everything"),
        ((), "everything"),
        (("eu:shop-de",), "all"),
        (("eu:logs",), "logs"),
    ],
)
def test_what_counts_for_a_search_over_several_indices(indices: tuple[str, ...], instruction: str) -> None:
    """The first entry that matches any name, as the search writes it; one of everything goes by ``_all``."""
    entries = [{"pattern": "shop-*", "instruction": "shop"}, {"pattern": "_all", "instruction": "everything"}]
    entries += [{"pattern": name, "instruction": "logs"} for name in ("logs", "*:logs")]
    config = load({"upstream": URL, "instruction": "all", "indices": entries}, None, {})
    assert config.policy(indices).instruction == instruction


@pytest.mark.parametrize("value", ["3/10", "{first: 3, within: 10}"])
def test_the_best_of_the_first_stage_in_one_line_or_two(tmp_path: Path, value: str) -> None:
    """Both say the same in a file, where 3:10 would be the number 190."""
    file = written(tmp_path, "b.yaml", f"keep_top: {value}")
    assert load({"upstream": URL}, file, {}).policy(()).keep_top == KeepTop(3, 10)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("127.0.0.1:9400", ("127.0.0.1", 9400)),
        ("localhost:0", ("localhost", 0)),
        ("[::1]:80", ("::1", 80)),
        ("localhost", None),
        (":80", None),
        ("a:b", None),
        ("a:65536", None),
        ("a:-1", None),
    ],
)
def test_listening_addresses(value: str, expected: tuple[str, int] | None) -> None:
    """HOST:PORT, with brackets around an IPv6 address."""
    if expected is not None:
        assert split_listen(value) == expected
        return
    with pytest.raises(ValueError, match="is not HOST:PORT"):
        split_listen(value)


def test_a_configuration_does_not_change_and_shows_no_secrets() -> None:
    """It is frozen, and its text, which may be logged, has neither password nor key."""
    config = load({"upstream": URL, "upstream_username": "u", "upstream_password": "secret"}, None, {})
    assert "secret" not in repr(config)
    assert "secret" not in repr(load({"upstream": URL, "upstream_api_key": "secret"}, None, {}))
    with pytest.raises(ValidationError):
        config.window = 5


def test_a_published_address_has_a_port() -> None:
    """Clients that sniff need one; without the setting they are told where they came to."""
    assert problems({"upstream": URL, "published_address": "bridge"}) == [
        "--published-address: 'bridge' is not HOST:PORT"
    ]
    assert load({"upstream": URL, "published_address": "bridge:80"}, None, {}).published_address == "bridge:80"
    assert load({"upstream": URL}, None, {}).published_address is None
