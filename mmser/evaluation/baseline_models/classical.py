"""Support vector machine, naive Bayes, decision tree and logistic regression on functionals of the sound.

All see the same columns, standardised by the training rows, and weigh the classes equally.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from mmser.evaluation.baseline_models.fitted import Fitted, Floats, Rows, Scores, choose, columns

FURTHEST = 5.0  # standard deviations; a value further out is taken as that far
LEAST_SHARE = 1e-3  # what a leaf of a tree gives to a class that it never saw
LEAST_VARIANCE = 1e-9  # of a column, of naive Bayes
LEAF = 5  # training rows in a leaf, at least

SVM_STRENGTHS = (1.0, 3.0, 10.0, 30.0)
LINEAR_STRENGTHS = (0.001, 0.01, 0.1, 1.0)
DEPTHS = (3, 5, 8, 12)
SMOOTHINGS = (1e-9, 1e-3, 1e-2, 1e-1, 1.0)  # of the largest variance of a column


def fit_svm(rows: Rows[Floats], held: Rows[Floats] | None) -> Fitted[Floats]:
    """Fit a support vector machine with a radial kernel (Cortes & Vapnik 1995); C is chosen, 3 by default.

    Its logits are the one-against-the-rest decision values, whose largest is what it predicts.
    """

    def fit(strength: float) -> Scores[Floats]:
        model = SVC(C=strength, class_weight="balanced", break_ties=True)
        return _fit(model, rows, lambda model, values: columns(model.decision_function(values)))

    strength, scores = choose(SVM_STRENGTHS, fit, held, 3.0)
    return Fitted(scores=scores, chosen={"C": strength})


def fit_logistic_regression(rows: Rows[Floats], held: Rows[Floats] | None) -> Fitted[Floats]:
    """Fit multinomial logistic regression; C, the inverse of regularisation, is chosen, 0.01 by default."""

    def fit(strength: float) -> Scores[Floats]:
        model = LogisticRegression(C=strength, class_weight="balanced", max_iter=3000)
        return _fit(model, rows, lambda model, values: columns(model.decision_function(values)))

    strength, scores = choose(LINEAR_STRENGTHS, fit, held, 0.01)
    return Fitted(scores=scores, chosen={"C": strength})


def fit_naive_bayes(rows: Rows[Floats], held: Rows[Floats] | None) -> Fitted[Floats]:
    """Fit Gaussian naive Bayes with equal priors; the smoothing of variances is chosen, 0.01 by default."""
    count = rows.targets.shape[1]

    def fit(smoothing: float) -> Scores[Floats]:
        model = GaussianNB(priors=np.full(count, 1 / count), var_smoothing=smoothing)
        return _fit(model, rows, _joint_log_likelihood)

    smoothing, scores = choose(SMOOTHINGS, fit, held, 1e-2)
    return Fitted(scores=scores, chosen={"var_smoothing": smoothing})


def _joint_log_likelihood(model: Any, values: Floats) -> Floats:
    # Smoothing is a share of the largest variance: where no column varies, as of silent clips, all are 0.
    model.var_ = np.maximum(model.var_, LEAST_VARIANCE)
    return columns(model.predict_joint_log_proba(values))


def fit_decision_tree(rows: Rows[Floats], held: Rows[Floats] | None, seed: int) -> Fitted[Floats]:
    """Fit a decision tree (CART, Breiman 1984); its depth is chosen, 5 by default.

    Its logits are the logarithms of the leaf's class shares.
    """

    def fit(depth: int) -> Scores[Floats]:
        leaf = min(LEAF, max(1, len(rows.inputs) // 10))  # a handful of rows still makes a tree
        model = DecisionTreeClassifier(
            max_depth=depth, min_samples_leaf=leaf, class_weight="balanced", random_state=seed
        )
        return _fit(model, rows, lambda model, values: np.log(model.predict_proba(values) + LEAST_SHARE))

    depth, scores = choose(DEPTHS, fit, held, 5)
    return Fitted(scores=scores, chosen={"max_depth": depth})


def _fit(model: Any, rows: Rows[Floats], say: Any) -> Scores[Floats]:
    """Fit a model of scikit-learn on standardised columns; `say` takes it and such columns to logits."""
    scaler = StandardScaler().fit(rows.inputs)

    def standard(values: Floats) -> Floats:
        scaled: NDArray[np.float64] = np.clip(scaler.transform(values), -FURTHEST, FURTHEST)
        return scaled

    model.fit(standard(rows.inputs), rows.classes())

    def scores(values: Floats) -> Floats:
        logits: Floats = say(model, standard(values))
        return logits

    return scores
