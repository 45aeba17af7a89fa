"""What is known of each reranker beside its files: a table of plain data, true to the models' own cards.

A causal entry says how a prompt is put together and which tokens answer it; a classifier's entry says what its score
passes through. Pooling, sizes and positions stand in a model's ``config.json`` and are read from there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Activation = Literal["none", "sigmoid"]


@dataclass(frozen=True, slots=True)
class CausalSpec:
    """A language model that is asked whether a document matches, and answers with one of two tokens.

    The prompt is ``before``, query, ``separator``, document, ``after``; each part is tokenised alone, so that all that
    stands before a document is the same for every document of a search.
    """

    before: str
    query: str
    """Template of ``{query}`` where there is no instruction."""
    instructed_query: str
    """Template of ``{instruction}`` and ``{query}``."""
    separator: str
    """Between query and document; empty where the query's template ends with it."""
    document: str
    """Template of ``{document}``."""
    after: tuple[str, ...]
    """The parts after the document, each tokenised alone."""
    yes: str
    no: str
    """The tokens of the answer: the score is the logit of ``yes`` less that of ``no``, then ``activation``."""
    activation: Activation = "none"
    """``sigmoid`` of the difference is the softmax over the two answers."""
    default_instruction: str = ""
    """Taken where a search gives no instruction."""
    estimated_max: float | None = None
    """A normalised score is ``sigmoid(score - estimated_max / 2)``; None where the model's card knows none."""
    max_tokens: int = 8_192
    """Tokens of query, separator and document, and of the rest as well where ``counts_all``."""
    long_context_tokens: int = 32_768
    """``max_tokens`` with long context switched on, as far as the model has positions."""
    counts_all: bool = False
    """Whether ``max_tokens`` counts ``before`` and ``after``, too."""
    query_share: tuple[int, int] = (3, 4)
    """What a query, its instruction included, gets of ``max_tokens`` at most: numerator and denominator."""


@dataclass(frozen=True, slots=True)
class ClassifierSpec:
    """A cross-encoder with a classification head of one label."""

    activation: Activation | None = None
    """What a score is passed through; None: as the folder says, in the way of sentence-transformers."""
    max_tokens: int | None = None
    """Tokens of a pair with the special ones; None: what the folder's tokenizer was saved with."""
    long_context_tokens: int | None = None
    """``max_tokens`` with long context switched on; None: no more than without."""
    estimated_max: float | None = None
    """As in ``CausalSpec``; 0 is the plain sigmoid."""


Spec = CausalSpec | ClassifierSpec

MXBAI_V2 = CausalSpec(
    # Package mxbai-rerank 0.1.6, class MxbaiRerankV2: its texts, limits and estimated_max.
    before=(
        "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n"
        "<|im_start|>user\n"
    ),
    query="query: {query}",
    instructed_query="instruction: {instruction}\nquery: {query}",
    separator="\n",
    document="document: {document}",
    after=(
        "\n",
        (
            "You are a search relevance expert who evaluates how well documents match search queries. For each "
            "query-document pair, carefully analyze the semantic relationship between them, then provide your binary "
            "relevance judgment (0 for not relevant, 1 for relevant).\nRelevance:"
        ),
        "<|im_end|>\n<|im_start|>assistant\n",
    ),
    yes="1",
    no="0",
    estimated_max=12.0,
)

QWEN3_RERANKER = CausalSpec(
    # Card of Qwen/Qwen3-Reranker-0.6B (4B and 8B have the same): format_instruction, prefix, suffix, max_length 8192 of
    # the whole prompt, softmax over "no" and "yes". The card tokenises query and document as one string; the
    # tokenizer's pattern ends a piece behind every line break, so cut there the tokens are the same.
    before=(
        "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct "
        'provided. Note that the answer can only be "yes" or "no".<|im_end|>\n<|im_start|>user\n'
    ),
    query="<Query>: {query}\n",
    instructed_query="<Instruct>: {instruction}\n<Query>: {query}\n",
    separator="",
    document="<Document>: {document}",
    after=("<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n",),
    yes="yes",
    no="no",
    activation="sigmoid",
    default_instruction="Given a web search query, retrieve relevant passages that answer the query",
    counts_all=True,
    query_share=(1, 1),  # the card cuts the whole from the right
)

# Package mxbai-rerank 0.1.6, class MxbaiRerankV1; sentence-transformers' CrossEncoder says the same.
MXBAI_V1 = ClassifierSpec(activation="sigmoid")

# Cards of BAAI/bge-reranker-base, -large and -v2-m3: the logit as it is, its sigmoid where it is to be normalised, 512
# tokens. For v2-m3, which reads up to 8192, the authors recommend the 1024 that it was tuned with (its discussion 9).
BGE = ClassifierSpec(activation="none", max_tokens=512, estimated_max=0.0)
BGE_M3 = replace(BGE, max_tokens=1_024, long_context_tokens=8_192)

# Cards of cross-encoder/ms-marco-MiniLM-*: the logit as it is.
MS_MARCO = ClassifierSpec(activation="none", max_tokens=512)

# Cards of cross-encoder/ettin-reranker-*-v1: "Maximum Sequence Length: 7999 tokens", the head in modules of
# sentence-transformers, trained to give the logits of mxbai-rerank-large-v2.
ETTIN = ClassifierSpec(activation="none", max_tokens=7_999)

ENTRIES: dict[str, Spec] = {
    "mixedbread-ai/mxbai-rerank-large-v2": MXBAI_V2,
    "mixedbread-ai/mxbai-rerank-base-v2": replace(MXBAI_V2, estimated_max=9.0),
    "mixedbread-ai/mxbai-rerank-large-v1": MXBAI_V1,
    "mixedbread-ai/mxbai-rerank-base-v1": MXBAI_V1,
    "mixedbread-ai/mxbai-rerank-xsmall-v1": MXBAI_V1,
    "BAAI/bge-reranker-base": BGE,
    "BAAI/bge-reranker-large": BGE,
    "BAAI/bge-reranker-v2-m3": BGE_M3,
    "cross-encoder/ms-marco-MiniLM-L2-v2": MS_MARCO,
    "cross-encoder/ms-marco-MiniLM-L4-v2": MS_MARCO,
    "cross-encoder/ms-marco-MiniLM-L6-v2": MS_MARCO,
    "cross-encoder/ms-marco-MiniLM-L12-v2": MS_MARCO,
    "cross-encoder/ettin-reranker-17m-v1": ETTIN,
    "cross-encoder/ettin-reranker-32m-v1": ETTIN,
    "cross-encoder/ettin-reranker-68m-v1": ETTIN,
    "cross-encoder/ettin-reranker-150m-v1": ETTIN,
    "cross-encoder/ettin-reranker-400m-v1": ETTIN,
    "cross-encoder/ettin-reranker-1b-v1": ETTIN,
    "Qwen/Qwen3-Reranker-0.6B": QWEN3_RERANKER,
    "Qwen/Qwen3-Reranker-4B": QWEN3_RERANKER,
    "Qwen/Qwen3-Reranker-8B": QWEN3_RERANKER,
}
"""Hub id -> what its scores need."""

ARCHITECTURES: dict[str, tuple[str, str, Spec]] = {
    "qwen2": ("Qwen2ForCausalLM", "", MXBAI_V2),
    "qwen3": ("Qwen3ForCausalLM", "", QWEN3_RERANKER),
    "deberta-v2": ("DebertaV2ForSequenceClassification", "", ClassifierSpec()),
    "bert": ("BertForSequenceClassification", "BertModel", ClassifierSpec()),
    "roberta": ("RobertaForSequenceClassification", "RobertaModel", ClassifierSpec()),
    "xlm-roberta": ("XLMRobertaForSequenceClassification", "XLMRobertaModel", ClassifierSpec()),
    "modernbert": ("ModernBertForSequenceClassification", "ModernBertModel", ClassifierSpec()),
}
"""``model_type`` of a config.json -> its class in transformers, that of its encoder alone (for a head in modules of
its own; empty where that is not run), and the spec of a folder that no entry names."""
