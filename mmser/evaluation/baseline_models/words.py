"""TF-IDF of words and word pairs with logistic regression, also for rows with several labels."""

import itertools

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from mmser.evaluation.baseline_models.fitted import Fitted, Rows, Scores, choose, columns

STRENGTHS = (1.0, 4.0)  # C, the inverse of regularisation
WEIGHTS = (None, "balanced")  # of classes
DEFAULT = (4.0, "balanced")


def fit_tfidf(rows: Rows[list[str]], held: Rows[list[str]] | None) -> Fitted[list[str]]:
    """Fit the baseline of words; C and the weights of classes are chosen, 4 and "balanced" by default.

    A row with k labels stands for k rows of weight 1/k. The words are cut as `baselines.fit_tfidf` cuts them,
    which cannot weigh rows.
    """
    # Punctuation counts as words: "what?!" is half of MELD's surprise.
    vectors = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\w+|[^\w\s]")
    row, label = np.nonzero(rows.targets)
    share = rows.targets[row, label]
    words = vectors.fit_transform(rows.inputs)[row]
    # "balanced" of scikit-learn, with each row counted by its share.
    balance = share.sum() / (rows.targets.shape[1] * rows.targets.sum(0))

    def fit(candidate: tuple[float, str | None]) -> Scores[list[str]]:
        strength, weight = candidate
        # A tolerance of 1e-4 takes five times as long over 43,000 comments and moves UAR by 0.2.
        model = LogisticRegression(C=strength, max_iter=1000, tol=1e-3)
        model.fit(words, label, sample_weight=share * (1.0 if weight is None else balance[label]))
        return lambda texts: columns(model.decision_function(vectors.transform(texts)))

    candidates = tuple(itertools.product(STRENGTHS, WEIGHTS))
    (strength, weight), scores = choose(candidates, fit, held, DEFAULT)
    return Fitted(scores=scores, chosen={"C": strength, "class_weight": weight})
