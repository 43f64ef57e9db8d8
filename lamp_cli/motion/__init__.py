"""What a motion is: skeletons, the frame representation, files. Knows no text and no model."""

from .files import Motion, MotionFileError, load_motion, load_motions, save_joints
from .representation import canonical_joints, features_to_joints, joints_to_features
from .skeleton import HUMANML3D, KIT, Skeleton
from .transform import mirror, resample

__all__ = [
    "HUMANML3D",
    "KIT",
    "Motion",
    "MotionFileError",
    "Skeleton",
    "canonical_joints",
    "features_to_joints",
    "joints_to_features",
    "load_motion",
    "load_motions",
    "mirror",
    "resample",
    "save_joints",
]
