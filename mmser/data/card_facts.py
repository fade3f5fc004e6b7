"""What is documented of every corpus; what can be counted is counted when its card is written."""

from collections.abc import Mapping
from dataclasses import dataclass

from mmser.data.crema_d import CREMA_D_EMOTIONS
from mmser.data.iemocap import IEMOCAP_EMOTIONS
from mmser.data.meld import MELD_EMOTIONS
from mmser.data.mosei import MOSEI_EMOTIONS
from mmser.data.msp_podcast import MSP_EMOTIONS
from mmser.data.speech import EMODB_BOREDOM, EMODB_EMOTIONS, EMOVO_EMOTIONS, NEMO_EMOTIONS, RAVDESS_EMOTIONS
from mmser.data.text import SEMEVAL_EMOTIONS

Labels = Mapping[str, str | None]  # the publisher's word or code → ours; None = left without a label, or out

_SAME = {name: name for name in MOSEI_EMOTIONS}
_RAVDESS_WORDS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
_ONE_SCRIPT = (
    "The same sentences are spoken in every emotion: words carry nothing, a text branch learns scripts."
)
_ACTED = "Acted: clearer and stronger than what people do on a call."
_NAMED_SPLITS = "none by the publisher: `splits` names test and validation speakers, all others train"


@dataclass(frozen=True, kw_only=True)
class CorpusFacts:
    """The documented part of a data card."""

    title: str
    citation: str
    source: str
    language: str
    kind: str
    speakers: str
    size: str  # as published, hours included
    labels: Labels
    targets: str  # intensity, valence, change
    splits: str
    limits: tuple[str, ...]
    reader: str
    hub: str | None = None  # id, and the revision at which its columns were seen


FACTS: Mapping[str, CorpusFacts] = {
    "ravdess": CorpusFacts(
        title="RAVDESS (speech, audio only)",
        citation="Livingstone & Russo 2018, PLoS ONE 13(5): e0196391",
        source="zenodo.org/record/1188976, Audio_Speech_Actors_01-24.zip",
        language="English (en)",
        kind="acted speech",
        speakers="24 actors, 12 women and 12 men",
        size="1,440 clips, 1.48 hours",
        labels=dict(zip(_RAVDESS_WORDS, RAVDESS_EMOTIONS.values(), strict=True)) | {"calm": "neutral"},
        targets="intensity 0.4 (normal) or 1.0 (strong) as the actor was asked; neutral and calm have none",
        splits=_NAMED_SPLITS,
        limits=(
            "03-01-03-01-02-01-07 and 03-01-03-01-02-02-07 are one recording: the second is left out "
            "(`keep_duplicate=True` keeps it).",
            "The copy at hand has 20 actors: 04, 10, 12 and 14 are not in it (`partial=True` accepts that).",
            "Calm is a class of its own only in the 8-class task (`classes=8`).",
            "Two sentences. " + _ONE_SCRIPT,
            _ACTED,
        ),
        reader="read_ravdess",
        hub="AbstractTTS/RAVDESS (columns seen at c900b01); narad/ravdess is a script, which `datasets` no "
        "longer runs",
    ),
    "nemo": CorpusFacts(
        title="nEMO",
        citation="Christop 2024, LREC-COLING",
        source="github.com/amu-cai/nEMO",
        language="Polish (pl)",
        kind="acted speech",
        speakers="9 actors",
        size="4,481 clips, 3.07 hours",
        labels=NEMO_EMOTIONS,
        targets="no intensity, valence or change",
        splits=_NAMED_SPLITS,
        limits=(
            "No disgust.",
            "90 sentences. " + _ONE_SCRIPT,
            "speaker_id in data.tsv is padded with blanks, which the reader takes off.",
            _ACTED,
        ),
        reader="read_nemo",
        hub="amu-cai/CAMEO, split nemo (seen at 38e9e96)",
    ),
    "emodb": CorpusFacts(
        title="EmoDB, the Berlin Database of Emotional Speech",
        citation="Burkhardt et al. 2005, Interspeech",
        source="emodb.bilderbar.info",
        language="German (de)",
        kind="acted speech",
        speakers="10 actors, 5 women and 5 men",
        size="535 clips, about 25 minutes",
        labels={**EMODB_EMOTIONS, EMODB_BOREDOM: None},
        targets="no intensity, valence or change",
        splits=_NAMED_SPLITS,
        limits=(
            "Boredom (L) has no class among the seven: its 81 clips are left out. No surprise.",
            "10 sentences. " + _ONE_SCRIPT,
            "Many published scores are of random splits, with each speaker in training and test.",
            "The copy at hand is cut or padded with silence to exactly 2.00 s: its durations mean nothing.",
            _ACTED,
        ),
        reader="read_emodb",
        hub="renumics/emodb (columns seen at 7a951ba2ac1c5ffdfce86510aeb7f6844fd40cba)",
    ),
    "emovo": CorpusFacts(
        title="EMOVO",
        citation="Costantini, Iaderola, Paoloni & Todisco 2014, LREC",
        source="the authors' archive, folders f1 to m3",
        language="Italian (it)",
        kind="acted speech",
        speakers="6 actors, 3 women and 3 men",
        size="588 clips, 84 of each emotion, about half an hour",
        labels=EMOVO_EMOTIONS,
        targets="no intensity, valence or change",
        splits=_NAMED_SPLITS,
        limits=("14 sentences. " + _ONE_SCRIPT, _ACTED),
        reader="read_emovo",
    ),
    "crema_d": CorpusFacts(
        title="CREMA-D",
        citation="Cao et al. 2014, IEEE Transactions on Affective Computing 5(4)",
        source="github.com/CheyneyComputerScience/CREMA-D",
        language="English (en)",
        kind="acted speech, rated by listeners",
        speakers="91 actors, 43 women and 48 men, 20 to 74 years old",
        size="7,442 clips, about 5.3 hours",
        labels=CREMA_D_EMOTIONS,
        targets="intensity: the listeners' mean VoiceLevel, 0 to 100, scaled to [0, 1]",
        splits=_NAMED_SPLITS,
        limits=(
            "Labels are the majority of those who only heard the voice (VoiceVote); a tie keeps all its "
            "labels. What the actors were asked for, in the file names, is another thing and is not used.",
            "The LO/MD/HI codes cover 18 % of the clips and one sentence.",
            "1076_MTI_SAD_XX holds no signal: `check_audio` names it.",
            "EmoBox's published folds put the same speakers in training and test.",
            "12 sentences, no surprise. " + _ACTED,
        ),
        reader="read_crema_d",
        hub="AbstractTTS/CREMA-D (columns seen at 5a17278): six ratings without a level, so no intensity",
    ),
    "iemocap": CorpusFacts(
        title="IEMOCAP",
        citation="Busso et al. 2008, Language Resources and Evaluation 42",
        source="sail.usc.edu/iemocap, after signing the release form",
        language="English (en)",
        kind="acted dialogues, improvised and scripted",
        speakers="10 actors in 5 sessions of two",
        size="10,039 turns in 151 dialogues, about 12 hours: neutral 1,708, anger 1,103, sadness 1,084, "
        "happiness 595, excited 1,041, frustration 1,849, surprise 107, fear 40, disgust 2, other or no "
        "agreement 2,510",
        labels=IEMOCAP_EMOTIONS,
        targets="valence and activation of 1 to 5 as valence in [-1, 1] and intensity in [0, 1]; change "
        "follows the labels",
        splits="none by the publisher: leave one session out, named in `splits` as Session1 … Session5",
        limits=(
            "Frustration, other and turns without agreement stay as rows without a label.",
            "Excited counts as happiness, as is usual.",
            "The scripted dialogues repeat in every session: `sentence` names the script.",
            "Fear, surprise and disgust are rare (40, 107 and 2 turns).",
            "The letter after Ses01 tells who wore the markers; who speaks is told by the turn's own letter.",
        ),
        reader="read_iemocap",
        hub="AbstractTTS/IEMOCAP (columns seen at 9f1696a135a65ce997d898d4121c952269a822ca): no times, so no "
        "order of turns",
    ),
    "meld": CorpusFacts(
        title="MELD",
        citation="Poria et al. 2019, ACL",
        source="github.com/declare-lab/MELD; clips in MELD.Raw.tar.gz",
        language="English (en)",
        kind="dialogues of a television series, as text or with clips",
        speakers="about 260 names, 6 of whom say most",
        size="13,708 turns in 1,432 dialogues",
        labels=MELD_EMOTIONS,
        targets="valence: the rated sentiment, -1, 0 or 1; change against the same speaker's previous turn, "
        "its direction by the sentiment",
        splits="official, by dialogue; speakers are shared: speaker-overlapping, dialogue-disjoint",
        limits=(
            "92 % of the test turns are by speakers who are in training: mark every number.",
            "Between 28 and 31 % of turns are a speaker's first, where change is unknown.",
            "The publisher's archive lacks dev dia110_utt7, and train dia125_utt3 cannot be decoded; "
            "both stay as text. The clips are MP4 (the codecs extra), with laughter and music.",
            "Apostrophes of another code page are put right.",
        ),
        reader="read_meld",
    ),
    "cmu_mosei": CorpusFacts(
        title="CMU-MOSEI",
        citation="Zadeh et al. 2018, ACL",
        source="the CMU Multimodal SDK: Labels, Transcript and Audio of the raw archive",
        language="English (en)",
        kind="people who talk to a camera",
        speakers="more than 1,000, who are not named",
        size="23,259 segments of 3,228 videos, about 65 hours; the folds hold 16,327 / 1,871 / 4,662",
        labels={**_SAME, "none of the six": "neutral"},
        targets="intensity: the strongest of the six ratings of 0 to 3, over 3; valence: sentiment over 3",
        splits="official, by video (cmu_mosei_std_folds.py of the SDK)",
        limits=(
            "Several labels: an emotion counts where the annotators' mean is above 0, as is usual.",
            "Speakers are unknown: a split by video may share them.",
            "Segments of videos that are in none of the folds are left out, as its makers left them.",
            "Happiness is by far the most frequent.",
        ),
        reader="read_cmu_mosei",
    ),
    "msp_podcast": CorpusFacts(
        title="MSP-Podcast",
        citation="Lotfian & Busso 2019, IEEE Transactions on Affective Computing 10(4)",
        source="the University of Texas at Dallas, after an institution has signed",
        language="English (en)",
        kind="spontaneous speech from podcasts, rated by listeners",
        speakers="more than 1,500; some clips have none named",
        size="release 1.11: 151,654 clips, about 238 hours; Train 84,030, Development 19,815, Test1 30,647, "
        "Test2 14,815, Test3 2,347",
        labels=MSP_EMOTIONS,
        targets="valence and activation of 1 to 7 as valence in [-1, 1] and intensity in [0, 1]",
        splits="official: Train, Development and Test1 (`test_set` chooses Test2)",
        limits=(
            "Contempt, other and clips without agreement stay as rows without a label.",
            "Clips of one podcast are not a dialogue: no order of turns, no change.",
            "Test3's labels are not published.",
        ),
        reader="read_msp_podcast",
    ),
    "goemotions": CorpusFacts(
        title="GoEmotions, Ekman labels",
        citation="Demszky et al. 2020, ACL",
        source="github.com/google-research/google-research/tree/master/goemotions",
        language="English (en)",
        kind="written comments, text only",
        speakers="not named",
        size="54,263 comments",
        labels={**_SAME, "joy": "happiness", "neutral": "neutral"},
        targets="no intensity, valence or change",
        splits="official",
        limits=(
            "Several labels: thresholds per class are chosen on validation.",
            "Written register with profanity; nothing of speech.",
        ),
        reader="read_goemotions",
    ),
    "emobank": CorpusFacts(
        title="EmoBank",
        citation="Buechel & Hahn 2017, EACL",
        source="github.com/JULIELab/EmoBank",
        language="English (en)",
        kind="written sentences, text only",
        speakers="not named",
        size="10,062 sentences",
        labels={},
        targets="valence of 1 to 5 scaled to [-1, 1]; no emotion, no intensity",
        splits="official",
        limits=("Mostly near neutral: its valence has a narrow range.",),
        reader="read_emobank",
    ),
    "semeval_ei": CorpusFacts(
        title="SemEval-2018 Task 1, EI-reg (English)",
        citation="Mohammad et al. 2018, SemEval",
        source="the organisers' archive, EI-reg-En",
        language="English (en)",
        kind="tweets, text only",
        speakers="not named",
        size="7,102 tweets to train, 1,464 to validate",
        labels=SEMEVAL_EMOTIONS,
        targets="intensity in [0, 1] of the file's emotion",
        splits="official train and dev; the test files are not read, since most of their lines are other "
        "sentences of the organisers",
        limits=(
            "The label says which emotion was rated: at an intensity near 0 it is hardly there.",
            "A tweet may be in several files.",
        ),
        reader="read_semeval_ei",
    ),
    "cameo": CorpusFacts(
        title="CAMEO, a collection of acted corpora",
        citation="Christop & Czajka 2025, arXiv 2505.11051",
        source="the Hugging Face Hub",
        language="Bengali, English, French, German, Italian, Polish, Russian, Spanish",
        kind="acted speech, 13 corpora",
        speakers="named for each corpus",
        size="13 corpora, each a split of the Hub's dataset",
        labels={**_SAME, "neutral": "neutral", "calm": "neutral", "excited": "happiness", "others": None},
        targets="no intensity, valence or change",
        splits=_NAMED_SPLITS,
        limits=(
            "Holds CREMA-D, nEMO and RAVDESS: do not read these beside it.",
            "Each corpus has its own licence, in the dataset's column `license`; some are non-commercial.",
            "CREMA-D's labels are here those of the file names, not the listeners'.",
        ),
        reader="hub_cameo",
        hub="amu-cai/CAMEO (seen at 38e9e96)",
    ),
}
