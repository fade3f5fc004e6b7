"""Small made corpora in their publishers' layouts."""

from pathlib import Path

import numpy as np
import soundfile

RATE = 16_000  # Hz


def write_clip(path: Path, seconds: float = 0.3, hertz: float = 200.0) -> Path:
    """Write a tone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    times = np.arange(round(seconds * RATE)) / RATE
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * hertz * times), RATE)
    return path


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def make_crema_d(folder: Path) -> Path:
    write(
        folder / "processedResults" / "summaryTable.csv",
        '"","FileName","VoiceVote","VoiceLevel","FaceVote","FaceLevel","MultiModalVote","MultiModalLevel"\n'
        '"1","1001_IEO_NEU_XX","N","69.1","N","92.22","N","64.78"\n'
        '"2","1001_IEO_ANG_MD","A:D","37.2:58.6","A","45.5","A","44.2"\n'
        '"3","1002_WSI_HAP_XX","A","50.8","H","59.22","H","59.38"\n',
    )
    write(
        folder / "VideoDemographics.csv",
        '"ActorID","Age","Sex","Race","Ethnicity"\n1001,51,"Male","Caucasian","Not Hispanic"\n',
    )
    for name in ("1001_IEO_NEU_XX", "1001_IEO_ANG_MD", "1002_WSI_HAP_XX"):
        write_clip(folder / "AudioWAV" / f"{name}.wav")
    return folder


IEMOCAP_TURNS = (  # start, end, turn, emotion, ratings
    (6.2901, 8.2357, "Ses01F_impro01_F000", "neu", "[2.5000, 2.5000, 2.5000]"),
    (7.5000, 9.0000, "Ses01F_impro01_M000", "fru", "[2.0000, 3.5000, 3.0000]"),
    (10.010, 11.390, "Ses01F_impro01_F001", "exc", "[4.5000, 5.5000, 2.5000]"),
    (14.887, 18.017, "Ses01F_impro01_M001", "ang", "[1.0000, 5.0000, 5.0000]"),
    (19.290, 20.787, "Ses01F_impro01_F002", "sad", "[2.0000, 1.0000, 2.5000]"),
)


def make_iemocap(folder: Path, *, clips: bool = True) -> Path:
    lines = "".join(f"[{s:.4f} - {e:.4f}]\t{t}\t{m}\t{r}\n" for s, e, t, m, r in reversed(IEMOCAP_TURNS))
    dialog = folder / "Session1" / "dialog"
    write(
        dialog / "EmoEvaluation" / "Ses01F_impro01.txt",
        f"% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n{lines}C-E2:\tNeutral;\t()\n",
    )
    write(dialog / "EmoEvaluation" / "._Ses01F_impro01.txt", "not text\x00")
    words = "".join(f"{t} [{s:08.4f}-{e:08.4f}]: Words of {t}.\n" for s, e, t, _, _ in IEMOCAP_TURNS)
    write(dialog / "transcriptions" / "Ses01F_impro01.txt", f"{words}M: (LAUGHTER)\n")
    if clips:
        for _, _, turn, _, _ in IEMOCAP_TURNS:
            write_clip(folder / "Session1" / "sentences" / "wav" / "Ses01F_impro01" / f"{turn}.wav")
    else:
        write_clip(dialog / "wav" / "Ses01F_impro01.wav", 21)
    return folder


MELD_HEADER = (
    "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime"
)


def make_meld(folder: Path) -> Path:
    turns = (
        ("Hi!", "Anna", "joy", "positive"),
        ("What?", "Ben", "surprise", "negative"),
        ("Nothing.", "Anna", "neutral", "neutral"),
        ("Oh!", "Ben", "surprise", "positive"),
        ("Leave me.", "Ben", "anger", "negative"),
        ("Why?", "Ben", "sadness", "negative"),
        ("Great!", "Anna", "surprise", "positive"),
    )
    rows = "".join(f"{i},{u},{s},{e},{v},0,{i},1,1,0,0\n" for i, (u, s, e, v) in enumerate(turns))
    for name in ("train", "dev", "test"):
        write(folder / f"{name}_sent_emo.csv", f"{MELD_HEADER}\n{rows}")
    return folder


def make_mosei(folder: Path) -> Path:
    header = "Input.VIDEO_ID,Input.CLIP," + ",".join(
        f"Answer.{n}" for n in ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "sentiment")
    )
    write(
        folder / "Labels" / "batch.csv",
        f"{header}\nvid1,0,0,0,0,3,0,0,2\nvid1,0,0,0,0,2,0,1,1\nvid1,1,0,0,0,0,0,0,0\nvid2,0,3,0,0,0,0,0,-3\n",
    )
    write(
        folder / "Transcript" / "Segmented" / "Combined" / "vid1.txt",
        "vid1___0___-0.1___0.1___I love it.\nvid1___1___0.1___0.2___It is a thing.\n",
    )
    write_clip(folder / "Audio" / "Full" / "WAV_16000" / "vid1.wav")
    write_clip(folder / "Audio" / "vid2_0.wav")
    write(
        folder / "cmu_mosei_std_folds.py",
        'standard_train_fold = ["vid1"]\nstandard_valid_fold = []\nstandard_test_fold = ["vid2", "vid3"]\n',
    )
    return folder


def make_msp_podcast(folder: Path) -> Path:
    write(
        folder / "Labels" / "labels_consensus.csv",
        "FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set\n"
        "MSP-PODCAST_0001_0008.wav,N,4.0,4.0,4.0,127,Male,Train\n"
        "MSP-PODCAST_0002_0001.wav,C,7.0,1.0,4.0,Unknown,Unknown,Development\n"
        "MSP-PODCAST_0003_0001.wav,H,1.0,7.0,4.0,9,Female,Test1\n"
        "MSP-PODCAST_0004_0001.wav,A,5.0,2.0,4.0,10,Female,Test2\n"
        "MSP-PODCAST_0005_0001.wav,,,,,,,Test3\n",
    )
    for stem in ("0001_0008", "0002_0001", "0003_0001", "0004_0001"):
        write_clip(folder / "Audios" / f"MSP-PODCAST_{stem}.wav")
    write(folder / "Transcripts" / "MSP-PODCAST_0001_0008.txt", "Well, I think so.\n")
    return folder


def make_emovo(folder: Path) -> Path:
    for name in ("dis-f1-b1", "gio-f1-b1", "rab-m2-l4"):
        write_clip(folder / name[4:6] / f"{name}.wav")
    return folder
