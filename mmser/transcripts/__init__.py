"""Transcripts of every common shape → turns in seconds, and back to WebVTT, SRT, text, CSV and JSON."""

from mmser.transcripts.checking import check_against, check_turns, plain_text, with_plain_text
from mmser.transcripts.reading import read_transcript
from mmser.transcripts.roles import assign_roles, speaker_label
from mmser.transcripts.writing import write_csv, write_json, write_srt, write_text, write_webvtt

__all__ = [
    "assign_roles",
    "check_against",
    "check_turns",
    "plain_text",
    "read_transcript",
    "speaker_label",
    "with_plain_text",
    "write_csv",
    "write_json",
    "write_srt",
    "write_text",
    "write_webvtt",
]
