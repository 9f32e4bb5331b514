from .experiment import Run as Run
