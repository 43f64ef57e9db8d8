"""The door of this room: what other rooms may import from it. Nothing else imports another module of it."""

from __future__ import annotations

from .actions import ACTIONS
from .clips import SyntheticClip, numbered_clip, synthetic_clip, synthetic_clip_of, synthetic_clips
from .language.action_words import COMPANIONS
from .language.claims import Agreement, Claim, Claims, agrees, claims, unread_words
from .language.labels import LabelMeaning, meaning_of_label
from .language.likely_actions import KINDS, likelihoods
from .language.people import PeoplesSentences, peoples_sentences
from .language.phrasebook import further_wordings, phrasebook, phrased
from .language.rewording import reworded
from .language.ways import ways_of
from .recombination.recombiner import RealClip, RecombinedClip, Recombiner

__all__ = [
    "ACTIONS",
    "COMPANIONS",
    "KINDS",
    "Agreement",
    "Claim",
    "Claims",
    "LabelMeaning",
    "PeoplesSentences",
    "RealClip",
    "RecombinedClip",
    "Recombiner",
    "SyntheticClip",
    "agrees",
    "claims",
    "further_wordings",
    "likelihoods",
    "meaning_of_label",
    "numbered_clip",
    "peoples_sentences",
    "phrasebook",
    "phrased",
    "reworded",
    "synthetic_clip",
    "synthetic_clip_of",
    "synthetic_clips",
    "unread_words",
    "ways_of",
]
