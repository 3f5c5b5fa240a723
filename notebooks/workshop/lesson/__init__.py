"""What only a course needs: predictions and their score, exercise checks, a workbench, recorded builds, costs.

Owns every sentence that judges a learner's answer.
May import: everything else in workshop; nothing else imports it.
"""
