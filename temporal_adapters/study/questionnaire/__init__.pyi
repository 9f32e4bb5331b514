from .files import load as load
from .records import Item as Item
from .records import Option as Option
from .records import Questionnaire as Questionnaire
from .records import Wording as Wording
