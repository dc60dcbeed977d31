"""Our head is one piece of arithmetic: nothing in it asks the device for an answer on the way."""

from __future__ import annotations

import torch
from small_models import small_sam3

from workers.models.head import Head


@torch.inference_mode()
def test_it_is_one_graph_without_a_break() -> None:
    head = Head(small_sam3())
    levels = [torch.randn(2, 32, side, side) for side in (32, 16, 8)]
    position, text = torch.randn(1, 32, 8, 8), torch.randn(6, 32, 32)

    def run() -> tuple[torch.Tensor, torch.Tensor]:
        answers = head.ask(head.look(levels, position), [0, 0, 0, 1, 1, 1], text, torch.ones(6, 32))
        return answers.logits, answers.presence

    told = torch._dynamo.explain(run)()

    assert (told.graph_count, told.graph_break_count) == (1, 0), told.break_reasons


@torch.inference_mode()
def test_rows_of_several_images_are_those_of_each_alone() -> None:
    torch.manual_seed(1)
    head = Head(small_sam3())
    levels = [torch.randn(2, 32, side, side) for side in (32, 16, 8)]
    position, text = torch.randn(1, 32, 8, 8), torch.randn(3, 32, 32)
    attention = torch.ones(3, 32)
    attention[:, 9:] = 0
    kept = [(0, 2), (2, 0), (2, 7)]

    seen = head.look(levels, position)
    together = head.ask(seen, [0, 1, 1], text, attention)
    masks = head.draw(seen, together, kept)

    for row, image in enumerate((0, 1, 1)):
        seen = head.look([level[image : image + 1] for level in levels], position)
        alone = head.ask(seen, [0], text[row : row + 1], attention[row : row + 1])
        torch.testing.assert_close(alone.logits[0], together.logits[row], rtol=1e-4, atol=1e-4)
        mine = [place for place, (of, _) in enumerate(kept) if of == row]
        if mine:
            again = head.draw(seen, alone, [(0, kept[place][1]) for place in mine])
            torch.testing.assert_close(again, masks[mine], rtol=1e-3, atol=1e-3)
