"""`python -m docs.pictures` draws every picture anew."""

from docs.pictures.lanes import LANES, draw

for lane in LANES:
    draw(lane)
