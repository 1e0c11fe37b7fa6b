"""Cells that compute while you move their controls: for a notebook with a kernel, in JupyterLab, VS Code or Colab.

    live.push_forward()                            bend a map, watch the density it pushes forward     (chapter 1)
    live.mixture()                                 fit a mixture by hand, against EM                   (chapter 2)
    live.next_symbol(model, symbols)               type a beginning, watch the next symbol             (chapters 3, 9)
    live.complete(models, images)                  paint a part, let models draw the rest              (chapters 4 to 7)
    live.listen(model, speakers)                   choose a word, a voice, a temperature: listen       (chapter 10)
    live.bend(toy, flow)                           bend the plane, layer by layer, against a flow      (chapter 11)
    live.latent(vae, images)                       walk a VAE's plane, choose q against the encoder    (chapter 13)
    live.game()                                    a GAN that plays while you change its rates         (chapter 21)
    live.game(cures=True)                          start a collapse, and cure it while it runs         (chapter 22)

One call makes one cell. In a built page, and in a stored notebook until it is run, the cell is a still. Each needs
ipywidgets, and ``complete`` anywidget too; nothing else in the package does, and nothing else imports this. A cell has
no thread of its own; ``close()`` takes its widgets away, and so does running the cell again.
"""

from dgmhelpers.live.bend import bend
from dgmhelpers.live.cell import Live
from dgmhelpers.live.complete import complete
from dgmhelpers.live.game import game
from dgmhelpers.live.latent import latent
from dgmhelpers.live.listen import listen
from dgmhelpers.live.mixture import mixture
from dgmhelpers.live.next_symbol import next_symbol
from dgmhelpers.live.push_forward import push_forward

__all__ = ["Live", "bend", "complete", "game", "latent", "listen", "mixture", "next_symbol", "push_forward"]
