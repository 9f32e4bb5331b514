from .counts import count_world as count_world
from .labelled import KNOBS as KNOBS
from .labelled import posts_of as posts_of
from .labelled import write_labelled as write_labelled
from .language import MOODS as MOODS
from .recovery import count_moods as count_moods
from .survey import QUESTION as QUESTION
from .write import TRUTH as TRUTH
