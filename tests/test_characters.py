import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab_kit.errors import UserError
from text_recognizer.data.character_mapping import ALPHANUMERIC, MAPPING, MARKS, SPECIAL_TOKENS, decode, encode


def test_mapping_has_the_courses_83_classes():
    assert len(MAPPING) == len(set(MAPPING)) == 83
    assert SPECIAL_TOKENS == ("<B>", "<S>", "<E>", "<P>")
    assert len(MARKS) == 17


def test_emnist_labels_keep_their_order_behind_the_special_tokens():
    assert "".join(MAPPING[4:66]) == string.digits + string.ascii_uppercase + string.ascii_lowercase
    assert MAPPING[4:66] == ALPHANUMERIC


@given(st.text(alphabet=[*ALPHANUMERIC, *MARKS], max_size=40))
def test_decode_undoes_encode(text):
    assert decode(encode(text)) == text
    assert decode(encode(text, length=40)) == text
    assert decode(encode(text, length=40), keep_special=True) == text + "<P>" * (40 - len(text))


def test_unknown_character_is_named():
    with pytest.raises(UserError, match="'é'"):
        encode("café")


def test_text_longer_than_its_places_is_refused():
    with pytest.raises(UserError, match="5 characters in 4 places"):
        encode("hello", length=4)


@pytest.mark.parametrize("index", [-1, 83])
def test_class_outside_the_mapping_is_refused(index):
    with pytest.raises(UserError, match=str(index)):
        decode([5, index])
