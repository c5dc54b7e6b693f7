"""Class indices: their type, how many classes there may be, and the usual ones."""

import numpy as np
import numpy.typing as npt

#: of a class index; int8 ends at 127, and the standard intent sets have 77 and 151 classes
LABEL_TYPE = np.int16
#: shape (n,), the index of each comment's class; of two classes 1 is the positive one, toxic
Labels = npt.NDArray[np.int16]

#: a column with more different labels holds numbers, ids or texts, not classes
MOST_CLASSES = 500

#: the classes of a task that names none
TOXIC = ("not toxic", "toxic")
