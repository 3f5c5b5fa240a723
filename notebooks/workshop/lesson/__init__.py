"""What only a course needs: predictions and their score, exercise checks, what an image costs a month.

Owns every sentence that judges a learner's answer.
May import: everything else in workshop; nothing else imports it.
"""
