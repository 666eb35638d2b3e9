"""Fashion-MNIST: 70,000 pictures of clothing in MNIST's format (Xiao, Rasul and Vollgraf, arXiv:1708.07747)."""

from text_recognizer.data.mnist import MNIST


class FashionMNIST(MNIST):
    """Pictures of clothing, 28x28: 55,000 to train on, 5,000 to validate, 10,000 to test.

    Pen strokes cannot take their place: without internet, the files must be copied to the disk.

    Args:
        batch_size: pictures in a batch.
        num_workers: processes that prepare batches ahead of the training loop; 0 prepares them in the loop itself.
        source: where the data comes from. `auto` takes files on disk, or downloads them; `download` does the same.
        seed: the seed for splitting and shuffling.
        augment: turn, scale, shear and shift training pictures a little, differently in every epoch.
    """

    dataset = "fashion_mnist"
    has_stand_in = False
    classes = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
    mean, std = 0.2860, 0.3530
