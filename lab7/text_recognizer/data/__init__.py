"""Datasets, as LightningDataModules."""

from text_recognizer.data.base_data_module import BaseDataModule, DataConfig
from text_recognizer.data.emnist import EMNIST
from text_recognizer.data.emnist_lines import EMNISTLines
from text_recognizer.data.fashion_mnist import FashionMNIST
from text_recognizer.data.iam_lines import IAMLines
from text_recognizer.data.iam_paragraphs import IAMParagraphs
from text_recognizer.data.image_folder import ImageFolder
from text_recognizer.data.mnist import MNIST
from text_recognizer.data.sentence_generator import SentenceGenerator

__all__ = [
    "EMNIST",
    "MNIST",
    "BaseDataModule",
    "DataConfig",
    "EMNISTLines",
    "FashionMNIST",
    "IAMLines",
    "IAMParagraphs",
    "ImageFolder",
    "SentenceGenerator",
]
