"""A made corpus of the user's own: clips, parts of a stereo call, words alone; people with names."""

from pathlib import Path

import numpy as np
import soundfile

from mmser.cli.corpora import corpora_of
from mmser.publishing.dataset import DatasetPlan, PushedDataset, write_dataset
from tests.data_fixtures import RATE, write, write_clip

NAMES = ("Zoë Müller", "Иван", "Anna")
HEADER = "id,audio,text,emotion,intensity,speaker,split,start,end,channel,dialogue_id,turn_index,role,session"
ROWS = (
    'Zoë 1,"Zoë, first.wav",Hello there,happiness,0.5,Zoë Müller,train,,,,,,,booth of Zoë',
    "Zoë 2,second.ogg,,anger|disgust,,Zoë Müller,train,,,,,,,",
    "i1,call.wav,Good day,neutral,,Иван,test,0.25,1.0,1,Иван calls,0,customer,",
    "i2,call.wav,How can I help,,,desk,test,1.0,1.5,0,Иван calls,1,agent,",
    "i3,call.wav,Never again,anger,1.0,Иван,test,1.5,,1,Иван calls,2,customer,",
    "a1,,Words alone,sadness,,Anna,validation,,,,,,,",
)


def make_own(folder: Path, rows: tuple[str, ...] = ROWS) -> Path:
    """Write the clips and mine.csv, and return the latter."""
    write_clip(folder / "Zoë, first.wav")
    times = np.arange(2 * RATE) / RATE
    soundfile.write(folder / "second.ogg", 0.3 * np.sin(900 * times), RATE)
    left, right = 0.2 * np.sin(1000 * times), 0.3 * np.sin(2000 * times)
    soundfile.write(folder / "call.wav", np.stack([left, right], 1), RATE, subtype="PCM_16")
    return write(folder / "mine.csv", "\n".join([HEADER, *rows]) + "\n")


def silent(stage: str, done: float, total: float) -> None:
    """Tell nobody how far it is."""


def plan_of(source: Path, **options) -> DatasetPlan:
    given = {"repository": "alice/mine", "license": "CC-BY-4.0", "folder": source.parent} | options
    return DatasetPlan(entries=corpora_of(source), **given)


def written(source: Path, folder: Path, **options) -> PushedDataset:
    """Write the dataset of a source into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    return write_dataset(plan_of(source, **options), folder, silent)
