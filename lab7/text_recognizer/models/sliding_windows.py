"""Count the windows that slide over a line of text."""

from lab_kit.checks import check_sizes
from lab_kit.errors import UserError
from text_recognizer.data_config import DataConfig


def count_windows(data_config: DataConfig, window_width: int, window_stride: int, limit_output_length: bool) -> int:
    """Return how many windows a line model reads; with `limit_output_length`, at most one for each label.

    Raises:
        UserError: the data is not lines, or no window fits.
    """
    check_sizes(window_width=window_width, window_stride=window_stride)
    if len(data_config.output_dims) < 2:
        raise UserError("This model reads lines of text: use it with --data_class EMNISTLines.")
    width = data_config.input_dims[2]
    if window_width > width:
        raise UserError(f"window_width must be at most {width}, the width of a line, not {window_width}.")
    windows = (width - window_width) // window_stride + 1
    return min(windows, data_config.output_dims[0]) if limit_output_length else windows
