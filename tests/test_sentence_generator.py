import logging
import zipfile

import numpy as np
import pytest
from conftest import write_metadata

from lab_kit.errors import UserError
from text_recognizer.data.character_mapping import ALPHANUMERIC, MAPPING
from text_recognizer.data.sentence_generator import SentenceGenerator, clean

SAMPLE = """
\tThe/at jury/nn said/vbd ``/`` No/rb evidence/nn ''/'' took/vbd place/nn ./.
\tIt/pps isn't/bez* $5/nns ,/, is/bez it/pps ?/. ?/.
"""


@pytest.fixture
def corpus(data_root):
    """Put a corpus of two sentences, in the Brown corpus's form, into the data root."""
    return make_corpus(data_root, {"brown/cats.txt": "ca01 news\n", "brown/ca01": SAMPLE})


def make_corpus(root, members):
    folder = root / "downloaded" / "brown"
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / "brown.zip", "w") as archive:
        archive.mkdir("brown")
        for name, content in members.items():
            archive.writestr(name, content)
    write_metadata(root, "brown", [folder / "brown.zip"])
    return folder / "brown.zip"


def pieces(text, longest):
    """All pieces of whole words, the naive way."""
    words = text.split()
    runs = (" ".join(words[i:j]) for i in range(len(words)) for j in range(i + 1, len(words) + 1))
    return {run for run in runs if len(run) <= longest}


def test_every_piece_that_fits_comes_up_and_no_other(corpus):
    generator = SentenceGenerator(max_length=16)
    seen = {generator.generate() for _ in range(4000)}
    assert seen == pieces("The jury said No evidence took place It isnt 5 is it", 16)
    assert "small brown" in generator.source_used


def test_marks_are_kept_on_demand_where_people_write_them(corpus):
    generator = SentenceGenerator(max_length=80, keep_marks=True)
    seen = {generator.generate() for _ in range(4000)}
    assert seen <= pieces('The jury said "No evidence" took place. It isn\'t 5, is it??', 80)
    assert any('said "No evidence" took place.' in piece for piece in seen)


def test_starts_are_uniform_over_the_words_that_fit(corpus):
    generator = SentenceGenerator(max_length=5)
    starts = [generator.generate().split()[0] for _ in range(11_000)]
    words, counts = np.unique(starts, return_counts=True)
    assert set(words) == {"The", "jury", "said", "No", "took", "place", "It", "isnt", "5", "is", "it"}
    assert abs(counts - 1000).max() < 150  # five standard deviations


def test_seed_decides_and_the_global_generator_is_left_alone(corpus):
    def texts(seed):
        generator = SentenceGenerator(max_length=20, seed=seed)
        return [generator.generate() for _ in range(50)]

    state = np.random.get_state()[1].copy()  # noqa: NPY002
    assert texts(1) == texts(1) != texts(2)
    assert np.array_equal(np.random.get_state()[1], state)  # noqa: NPY002


def test_length_can_be_given_for_one_piece(corpus):
    generator = SentenceGenerator(max_length=80)
    assert max(len(generator.generate(4)) for _ in range(300)) == 4


@pytest.mark.parametrize("length", [0, -3])
def test_impossible_length_is_a_clear_error(corpus, length):
    with pytest.raises(UserError, match="max_length must be at least 1"):
        SentenceGenerator(length)
    with pytest.raises(UserError, match="max_length must be at least 1"):
        SentenceGenerator(5).generate(length)


def test_a_text_without_words_that_short_is_a_clear_error(data_root):
    make_corpus(data_root, {"brown/cats.txt": "ca01 news\n", "brown/ca01": "\tLong/jj words/nns only/rb\n"})
    with pytest.raises(UserError, match="No word of the text has at most 3 characters"):
        SentenceGenerator(3).generate()


def test_without_network_other_english_text_stands_in_and_says_so(caplog):
    generator = SentenceGenerator(max_length=32, keep_marks=True)
    with caplog.at_level(logging.WARNING):
        texts = [generator.generate() for _ in range(500)]
    assert "THIS IS NOT BROWN CORPUS" in caplog.text
    assert "documentation" in generator.source_used
    assert all(1 <= len(text) <= 32 and set(text) <= set(MAPPING) for text in texts)
    assert len(set(texts)) > 300


def test_corpus_on_demand_does_not_fall_back():
    with pytest.raises(UserError, match=r"put brown\.zip into"):
        SentenceGenerator(32, source="download").generate()


def test_constructing_touches_nothing(data_root):
    SentenceGenerator(32)
    assert not list(data_root.iterdir())


def test_processed_text_is_enough(corpus):
    SentenceGenerator(20).generate()
    corpus.unlink()
    assert "small brown" in (generator := SentenceGenerator(20)).generate() + generator.source_used


@pytest.mark.parametrize("members", [{}, {"brown/cats.txt": "ca01 news\n"}, {"other/ca01": "x/y"}])
def test_an_archive_that_is_not_the_corpus_is_a_clear_error(data_root, members):
    make_corpus(data_root, members)
    with pytest.raises(UserError, match=r"brown\.zip is not the Brown corpus|No word"):
        SentenceGenerator(20).generate()


def test_cleaning_leaves_only_what_is_asked_for():
    assert clean("  Don't -- stop,\n\tcafé 3.5% ", keep_marks=False) == "Dont stop caf 35"
    assert clean("  Don't -- stop,\n\tcafé 3.5% ", keep_marks=True) == "Don't -- stop, caf 3.5"
    assert set(clean("".join(map(chr, range(32, 300))), keep_marks=False)) <= {*ALPHANUMERIC, " "}


def test_many_pieces_at_once_are_like_single_ones(corpus):
    generator = SentenceGenerator(max_length=16)
    codes = generator.generate_codes(4000, np.random.default_rng(0))
    assert codes.shape == (4000, 16)
    texts = [bytes(row[row > 0]).decode() for row in codes]
    assert [bytes(row).rstrip(b"\0").decode() for row in codes] == texts  # zeros stand at the end alone
    assert set(texts) == pieces("The jury said No evidence took place It isnt 5 is it", 16)
    again = generator.generate_codes(4000, np.random.default_rng(0))
    assert np.array_equal(codes, again)


def test_text_key_changes_with_the_text(corpus):
    keys = {SentenceGenerator(16).text_key(), SentenceGenerator(9).text_key()}
    assert len(keys) == 1
    assert SentenceGenerator(16, keep_marks=True).text_key() not in keys
    assert SentenceGenerator(16, source="pen").text_key() not in keys
