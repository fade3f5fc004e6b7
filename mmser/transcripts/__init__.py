"""Transcripts of every common shape → turns in seconds, and back to WebVTT, SRT and JSON."""

from mmser.transcripts.checking import check_against
from mmser.transcripts.reading import read_transcript
from mmser.transcripts.roles import assign_roles, speaker_label
from mmser.transcripts.writing import write_json, write_srt, write_webvtt

__all__ = [
    "assign_roles",
    "check_against",
    "read_transcript",
    "speaker_label",
    "write_json",
    "write_srt",
    "write_webvtt",
]
