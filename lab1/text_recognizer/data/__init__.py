"""Datasets, as LightningDataModules."""

from text_recognizer.data.base_data_module import BaseDataModule, DataConfig
from text_recognizer.data.fashion_mnist import FashionMNIST
from text_recognizer.data.mnist import MNIST

__all__ = ["MNIST", "BaseDataModule", "DataConfig", "FashionMNIST"]
