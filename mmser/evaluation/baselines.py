"""Simple models that any number must stand beside."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from mmser.evaluation.scores.metrics import uar

Array = NDArray[np.float64]


def fit_svm(
    features: Array, labels: Sequence[int], validation: Array, validation_labels: Sequence[int]
) -> Any:
    """Fit an RBF support vector machine on spectral, cepstral and prosodic functionals.

    C is chosen by UAR on validation speakers; classes are balanced.
    """
    models = [
        make_pipeline(StandardScaler(), SVC(C=c, class_weight="balanced")).fit(features, labels)
        for c in (1.0, 3.0, 10.0, 30.0)
    ]
    scores = [uar(validation_labels, m.predict(validation)) for m in models]
    return models[int(np.argmax(scores))]


def fit_tfidf(
    texts: Sequence[str], labels: Any, *, multilabel: bool, strength: float, weight: str | None
) -> Any:
    """Fit TF-IDF of words and word pairs with logistic regression.

    Args:
        texts: training texts.
        labels: as scikit-learn wants them.
        multilabel: one classifier per class.
        strength: C, the inverse of regularisation.
        weight: class weights, "balanced" or None.
    """
    linear = LogisticRegression(C=strength, max_iter=1000, class_weight=weight)
    classifier = OneVsRestClassifier(linear) if multilabel else linear
    # Punctuation counts as words: "what?!" is half of MELD's surprise.
    vectors = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\w+|[^\w\s]")
    return make_pipeline(vectors, classifier).fit(texts, labels)
