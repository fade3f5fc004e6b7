"""Made-up evaluations of every shape, for the tests of the pages; the same arguments give the same record."""

import random
from dataclasses import replace

from mmser.evaluation.result import (
    Calibration,
    ChangeScores,
    ClassScore,
    Contender,
    CoveragePoint,
    DataInfo,
    Degraded,
    EmotionScores,
    Evaluated,
    Evaluation,
    FoldInfo,
    Gap,
    IntensityScores,
    MultiLabelScores,
    Part,
    PointScores,
    ProtocolInfo,
    ReliabilityBin,
    RiskCoverage,
    Score,
    TimelineScores,
)
from mmser.labels import EMOTIONS

MARK = "speaker-overlapping, dialogue-disjoint"
BASELINES = ("svm on functionals", "tf-idf", "majority class", "nearest centroid", "logistic regression")
NONE = Score(value=None, n=0)


def score(value: float, width: float, n: int, groups: int = 24, interval: str = "") -> Score:
    """A score with an interval of about `width` on both sides."""
    over = interval or f"bootstrap over {groups} speakers"
    return Score(value=value, low=value - width, high=value + 0.8 * width, n=n, groups=groups, interval=over)


def emotion(labels: tuple[str, ...], n: int, groups: int, right: float, rng: random.Random) -> EmotionScores:
    """Scores of a matrix of which a share of about `right` lies on the diagonal; all counts add up."""
    matrix = []
    for row in range(len(labels)):
        size = n // len(labels) + (row < n % len(labels))
        hits = round(size * min(max(rng.gauss(right, 0.12), 0.05), 0.97))
        weights = [0.0 if place == row else rng.random() ** 2 + 0.05 for place in range(len(labels))]
        counts = [int((size - hits) * w / (sum(weights) or 1)) for w in weights]
        counts[row] = size - (sum(counts) - counts[row])
        matrix.append(tuple(counts))
    classes = tuple(class_score(label, place, matrix) for place, label in enumerate(labels))
    accuracy = 100 * sum(matrix[place][place] for place in range(len(labels))) / n
    recalls = [one.recall or 0.0 for one in classes]
    macro = sum(one.f1 or 0.0 for one in classes) / len(classes)
    uar = sum(recalls) / len(recalls)
    return EmotionScores(
        n=n,
        groups=groups,
        accuracy=score(accuracy, 5.1, n, groups),
        uar=score(uar, 6.2, n, groups),
        macro_f1=score(macro, 6.0, n, groups),
        weighted_f1=score(macro + 1.3, 5.4, n, groups),
        chance_uar=100 / len(labels),
        classes=classes,
        labels=labels,
        confusion=tuple(matrix),
        calibration=calibration(n, groups),
        coverage=coverage(n, groups, 1 - accuracy / 100),
    )


def class_score(label: str, place: int, matrix: list[tuple[int, ...]]) -> ClassScore:
    hits, n = matrix[place][place], sum(matrix[place])
    guessed = sum(row[place] for row in matrix)
    precision = 100 * hits / guessed if guessed else None
    recall = 100 * hits / n if n else None
    f1 = 200 * hits / (n + guessed) if n + guessed else None
    return ClassScore(label=label, precision=precision, recall=recall, f1=f1, n=n)


def calibration(n: int, groups: int) -> Calibration:
    bins = tuple(
        ReliabilityBin(confidence=c, accuracy=c - 0.02 - 0.16 * c * (1 - c), n=n // 10 + place % 3)
        for place, c in enumerate((0.24, 0.33, 0.41, 0.5, 0.58, 0.67, 0.76, 0.85, 0.93, 0.982))
    )
    return Calibration(
        ece=score(0.0481, 0.014, n, groups),
        nll=score(0.873, 0.101, n, groups),
        brier=score(0.389, 0.041, n, groups),
        bins=bins,
        ece_of_calibrated=0.0312,
    )


def coverage(n: int, groups: int, risk: float) -> RiskCoverage:
    shares = [place / 400 for place in range(4, 401)]
    points = tuple(
        CoveragePoint(coverage=s, risk=risk * (0.15 * s**0.5 + 0.85 * s**1.7), confidence=0.99 - 0.8 * s)
        for s in shares
    )
    return RiskCoverage(
        points=points,
        aurc=score(0.112, 0.02, n, groups),
        abstained=8.4,
        accuracy_answered=100 * (1 - risk * (0.15 * 0.957 + 0.85 * 0.8614)),
        uar_answered=71.9,
    )


def intensity(n: int) -> IntensityScores:
    return IntensityScores(
        n=n,
        ccc=score(0.612, 0.071, n),
        mae=score(0.163, 0.021, n),
        spearman=score(0.588, 0.07, n),
        kappa=score(0.471, 0.08, n),
        levels_uar=score(58.3, 5.5, n),
        labels=("low", "medium", "high"),
        confusion=((n // 6, n // 9, 4), (n // 10, n // 4, n // 12), (7, n // 8, n // 5)),
    )


def change(n: int) -> ChangeScores:
    return ChangeScores(
        n=n,
        base_rate=38.2,
        mcc=score(0.274, 0.06, n),
        average_precision=score(54.8, 4.2, n),
        f1=score(52.6, 3.9, n),
        precision=55.0,
        recall=50.4,
        direction_macro_f1=score(44.1, 6.6, n),
        rules={
            "always": {"mcc": 0.0, "f1": 55.3, "average_precision": 38.2},
            "never": {"mcc": 0.0, "f1": 0.0, "average_precision": 38.2},
            "guessed emotion differs": {"mcc": 0.191, "f1": 47.7, "average_precision": 46.0},
        },
    )


def timeline(calls: int) -> TimelineScores:
    over = f"bootstrap over {calls} calls"
    points = tuple(
        PointScores(
            tolerance=tolerance,
            precision=f1 + 4,
            recall=f1 - 3.5,
            f1=score(f1, 5.2, 214, calls, over),
        )
        for tolerance, f1 in ((0.5, 36.9), (1.0, 51.4), (2.0, 63.8), (5.0, 74.5))
    )
    return TimelineScores(
        of="spliced calls",
        n=calls,
        true_points=214,
        guessed_points=188,
        points=points,
        median_delay=0.31,
        eder=score(41.2, 5.5, calls, calls, over),
        false_alarm=101.4,
        missed=152.2,
        confusion=341.0,
        duration=1443.2,
        baselines={
            "no change": {"f1_at_0.5": 0.0, "eder": 68.1},
            "every 3 s": {"f1_at_0.5": 14.2, "eder": 77.5},
        },
        left_out={"meld/Ross": "one clip alone"},
    )


def multi_label(n: int) -> MultiLabelScores:
    f1 = (47.1, 38.2, 55.5, 66.1, 60.4, 49.0, 45.3)
    return MultiLabelScores(
        n=n,
        macro_f1=score(51.7, 1.4, n, n, f"bootstrap over {n:,} rows"),
        micro_f1=score(58.8, 0.9, n, n, f"bootstrap over {n:,} rows"),
        classes=tuple(
            ClassScore(label=label, precision=value - 4, recall=value + 6, f1=value, n=n // 8)
            for label, value in zip(EMOTIONS, f1, strict=True)
        ),
        thresholds={label: 0.2 + place / 50 for place, label in enumerate(EMOTIONS)},
        n_validation=5_426,
    )


def contender(name: str, data: str, n: int, value: float, own: float, groups: int) -> Contender:
    return Contender(
        name=name,
        data=data,
        n=n,
        metric="UAR",
        value=score(value, 5.5, n, groups),
        difference=score(own - value, 4.4, n, groups),
    )


def contenders(
    names: tuple[str, ...], data: str, n: int, own: float, groups: int, best: float
) -> tuple[Contender, ...]:
    return tuple(
        contender(name, data, n - place, best - 6.5 * place / max(1, len(names) / 5), own, groups)
        for place, name in enumerate(names)
    )


def gaps() -> tuple[Gap, ...]:
    def gap(
        attribute: str, data: str, values: dict[str, float], threshold: float, p: float, left: dict[str, str]
    ) -> Gap:
        groups = {name: score(value, 5.8, 210, 12) for name, value in values.items()}
        size = max(values.values()) - min(values.values())
        return Gap(
            attribute=attribute,
            data=data,
            metric="UAR",
            groups=groups,
            gap=size,
            threshold=threshold,
            p_value=p,
            smallest_n=210,
            smallest_voices=12,
            left_out=left,
            deals=1_000,
            smallest_p=0.001,
            low=size - 7.3,
            high=size + 7.3,
        )

    return (
        gap("gender", "all", {"female": 66.8, "male": 63.1}, 6.2, 0.281, {}),
        gap(
            "language",
            "all",
            {"en": 58.2, "pl": 71.6, "de": 69.9},
            8.8,
            0.0003,
            {"fr": "7 rows", "unknown": "not stated"},
        ),
        gap("age band", "emodb", {"20–29": 70.1, "30–39": 66.4}, 9.4, 0.43, {"60+": "1 voice"}),
    )


def degraded(data: str, n: int) -> tuple[Degraded, ...]:
    def one(name: str, kind: str, loss: float, flips: float, lost: int) -> Degraded:
        return Degraded(
            name=name,
            kind=kind,
            data=data,
            n=n - lost,
            unanswered=lost,
            metric="UAR",
            value=score(65.0 - loss, 6.1, n - lost),
            loss=score(loss, 1.2 + 0.15 * abs(loss), n - lost),
            flip_rate=flips,
            abstained=8.4 + loss / 2,
        )

    return (
        one("mu-law 8 kHz", "sound", 2.1, 11.9, 0),
        one("babble 20 dB", "sound", 0.4, 6.2, 0),
        one("babble 10 dB", "sound", 5.6, 18.3, 0),
        one("babble 0 dB", "sound", 17.9, 41.6, 3),
        one("packet loss 10 %", "sound", 3.3, 14.0, 0),
        one("every tenth word wrong", "words", 1.2, 7.7, 0),
        one("every third word wrong", "words", 6.8, 21.5, 0),
        one("no punctuation", "words", -0.3, 4.1, 0),
    )


def full(
    *,
    labels: tuple[str, ...] = EMOTIONS,
    baselines: tuple[str, ...] = BASELINES,
    name: str = "mmser-default",
    corpora: tuple[str, ...] = ("ravdess", "nemo", "emodb", "meld"),
    mark: str | None = MARK,
) -> Evaluation:
    """Everything filled."""
    rng = random.Random(7)
    sizes = [240 + 97 * place for place in range(len(corpora))]
    parts = [
        Part(data="all", n=sum(sizes), mark=mark, emotion=emotion(labels, sum(sizes), 61, 0.64, rng)),
        *(
            Part(
                data=corpus,
                n=size,
                mark=MARK if corpus == "meld" else None,
                emotion=emotion(labels, size, 12, 0.55 + 0.05 * place, rng),
            )
            for place, (corpus, size) in enumerate(zip(corpora, sizes, strict=True))
        ),
    ]
    parts[0] = replace(parts[0], intensity=intensity(640), change=change(902), timeline=timeline(40))
    parts[1] = replace(parts[1], intensity=intensity(240), change=change(310))
    parts.append(Part(data="goemotions", n=5_427, mark=None, multi_label=multi_label(5_427)))
    n, own = sum(sizes), parts[0].emotion.uar.value
    return Evaluation(
        mmser_version="0.1.0",
        model=Evaluated(
            id=name,
            kind="model",
            revision="f991dcb3b0b0" + "5d" * 26,
            license="CC-BY-NC-SA-4.0",
            labels=labels,
            training_mark="meld: speaker-overlapping, dialogue-disjoint",
            trained_on="RAVDESS, nEMO, EmoDB, GoEmotions, MELD",
        ),
        protocol=ProtocolInfo(
            name="speaker-folds",
            description="speaker-disjoint folds, dealt at random and even in rows",
            split="test",
            seed=0,
            folds=tuple(
                FoldInfo(
                    name=f"fold {place}",
                    held_out=tuple(f"{place:02d}-{voice:02d}" for voice in range(1, 6)),
                    train=1_200 - place,
                    validation=200 + place,
                    test=290,
                )
                for place in range(1, 6)
            ),
            draws=2_000,
        ),
        data=tuple(
            DataInfo(
                corpus=corpus,
                rows={"train": 5 * size, "validation": size, "test": size},
                speakers={"train": 16, "validation": 4, "test": 12},
                license="CC-BY-NC-SA-4.0" if place else None,
                files=size,
                sha256=f"{place:x}" * 64,
                rows_sha256="ab" * 32,
            )
            for place, (corpus, size) in enumerate(zip(corpora, sizes, strict=True))
        ),
        mark=mark,
        parts=tuple(parts),
        views=contenders(("audio only", "text only"), "all", n, own, 61, own - 3.1)
        + contenders(("audio only",), corpora[0], sizes[0], 60.0, 12, 57.0),
        baselines=contenders(baselines, "all", n, own, 61, own - 8.0)
        + contenders(baselines[:2], corpora[0], sizes[0], 60.0, 12, 51.0),
        gaps=gaps(),
        robustness=degraded("all", n),
        left_out={f"ravdess/03-01-0{place}-01": "the file holds no sound" for place in range(3)}
        | {"meld/dia12_utt4": "the file cannot be read"},
        warnings=("emodb: 12 rows carry a label that the model does not know, boredom; they are left out",),
        seconds={"read": 3.2, "judge": 412.6, "baselines": 61.0, "robustness": 922.4},
        settings={
            "command": "mmser evaluate mmser-default --data corpora/ --protocol speaker-folds --seed 0",
            "batch size": "16",
        },
    )


def minimal() -> Evaluation:
    """One corpus of one group, a baseline that did emotion alone, and no value that need not be there."""
    bare = Score(value=50.0, n=4, groups=1)
    scores = EmotionScores(
        n=4,
        groups=1,
        accuracy=bare,
        uar=bare,
        macro_f1=Score(value=None, n=4, groups=1),
        weighted_f1=bare,
        chance_uar=50.0,
        classes=(
            ClassScore(label="anger", precision=None, recall=0.0, f1=0.0, n=2),
            ClassScore(label="neutral", precision=50.0, recall=100.0, f1=66.7, n=2),
        ),
        labels=("anger", "neutral"),
        confusion=((0, 2), (0, 2)),
        calibration=Calibration(ece=NONE, nll=NONE, brier=NONE, bins=()),
        coverage=RiskCoverage(points=(), aurc=NONE, abstained=0.0, accuracy_answered=None, uar_answered=None),
    )
    return Evaluation(
        mmser_version="0.1.0",
        model=Evaluated(
            id="majority", kind="baseline", revision="", license=None, labels=("anger", "neutral")
        ),
        protocol=ProtocolInfo(name="split", description="", split="test", seed=0, folds=(), draws=0),
        data=(),
        mark=None,
        parts=(Part(data="emodb", n=4, mark=None, emotion=scores),),
    )


def larger(evaluation: Evaluation, times: int) -> Evaluation:
    """The same with each count of the confusion matrices so many times as large."""
    parts = []
    for part in evaluation.parts:
        one = part.emotion
        if one is not None:
            counts = tuple(tuple(times * count for count in row) for row in one.confusion)
            one = replace(one, n=times * one.n, confusion=counts)
        parts.append(replace(part, emotion=one))
    return replace(evaluation, parts=tuple(parts))
