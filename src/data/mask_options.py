"""The options that say what crack is in masks, where they do not say it themselves. Imported before heavy modules."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from typing import TYPE_CHECKING

from src.errors import UserError

if TYPE_CHECKING:  # slow to import, and --help needs none of it
    from src.data.mask_colours import Colour
    from src.data.masks import UserRule


def add_mask_options(parser: ArgumentParser) -> None:
    """The options ``--crack-colour`` and ``--crack-above``."""
    parser.add_argument(
        "--crack-colour",
        "--crack-color",
        type=colour,
        action="append",
        metavar="N|R,G,B",
        help="colour or grey value of crack in the masks; may be repeated",
    )
    parser.add_argument("--crack-above", type=int, metavar="N", help="crack is every value above N in the masks")


def user_rule_of(options: Namespace) -> "UserRule":
    """The user's rule for crack; two rules are a ``UserError``."""
    from src.data.masks import UserRule

    if options.crack_colour and options.crack_above is not None:
        raise UserError("--crack-colour and --crack-above cannot be combined: use one of them.")
    return UserRule(tuple(options.crack_colour or ()), options.crack_above)


def colour(text: str) -> "Colour":
    """Parse ``R,G,B`` or one grey value, which may exceed 255 for masks of more than 8 bits."""
    parts = [int(part) if part.isdecimal() else -1 for part in text.split(",")]
    if len(parts) not in (1, 3) or min(parts) < 0 or (len(parts) == 3 and max(parts) > 255):
        raise ArgumentTypeError(f"{text} must be R,G,B, each from 0 to 255, or one grey value")
    red, green, blue = parts * 3 if len(parts) == 1 else parts
    return red, green, blue
