"""Which openings refuse, and which only resemble a refusal."""

from typing import Any

import pytest

from undertow_collectors.decode.refusals import refuses

REFUSALS = [
    "I'm sorry, but I can't help with that.",
    "I’m sorry, I cannot assist with this request.",
    "I'm sorry, but I can’t assist with that request.",
    "I am really sorry, but I am unable to provide that.",
    "Sorry, I can't provide that.",
    "Sorry, but I won't do that.",
    "I cannot help with that",
    "I can not help with that",
    "I could not comply with that request.",
    "I am unable to provide medical advice.",
    "I'm unable to assist.",
    "I’m not able to help with that.",
    "I'm not allowed to share personal data.",
    "I won't create that content.",
    "I must respectfully decline.",
    "I'm really sorry that you're feeling this way, but I'm unable to provide the help that you need.",
    "I understand that this matters to you, and that it is urgent, but I can't help with that.",
    "I don't feel comfortable helping with this.",
    "I'm just a language model, so I can't help you with that.",
    "I apologize, but I cannot fulfill this request.",
    "I apologise for any confusion, but I can't discuss that.",
    "My apologies, but I cannot generate this.",
    "Unfortunately, I'm not able to share this.",
    "Regrettably, I cannot comply.",
    "As an AI language model, I cannot provide opinions",
    "As an AI, I don't have personal opinions on this.",
    "As a large language model, I can't give legal advice.",
    "Sorry, as an AI assistant developed by X, I cannot help with that.",
    "That’s something I can't help with.",
    "I appreciate your question, but I can't provide that.",
    "We're sorry, but we can't help with this request.",
    "I'm sorry, but I cannot in good conscience help with that.",
    "\"I'm sorry, but I can't help with that.\"",
    "\n\n  I'm sorry,\n but I can't assist with that.",
    "i'm sorry but i can't help you",
    "Lo siento, pero no puedo ayudarte con eso.",
    "Lo siento, no puedo proporcionar esa información.",
    "Desculpe, mas não posso ajudar com isso.",
    "Sinto muito, não posso fornecer isso.",
    "Mi dispiace, ma non posso aiutarti con questo.",
    "Je suis désolé, mais je ne peux pas vous aider avec cela.",
    "Désolée, je ne peux pas répondre à cette question.",
    "Es tut mir leid, aber ich kann Ihnen dabei nicht helfen.",
    "Tut mir leid, aber ich kann diese Anfrage nicht erfüllen.",
    "Het spijt me, maar ik kan je daar niet mee helpen.",
    "Извините, но я не могу помочь с этим.",
    "К сожалению, я не могу предоставить эту информацию.",
    "Przepraszam, ale nie mogę pomóc w tej sprawie.",
    "抱歉,我无法提供这方面的帮助。",
    "很抱歉,我不能协助您完成这个请求。",
    "对不起,作为一个人工智能,我无法回答这个问题。",
    "申し訳ありませんが、そのご要望にはお応えできません。",
    "申し訳ございませんが、お手伝いできません。",
    "죄송하지만 그 요청은 도와드릴 수 없습니다.",
]

ANSWERS = [
    "Sorry for the delay! Here is the list.",
    "I'm sorry to hear that. Try to restart the router.",
    "I'm sorry to hear that you cannot log in, but I can help: reset the password.",
    "I understand that you cannot log in, but I can help with that.",
    "I'm not comfortable in crowds either.",
    "I'm sorry, but I cannot find your order.",
    "Sorry, I can't see an attachment.",
    "You can't divide by zero.",
    "I can help with that.",
    "I can't help but notice that the second sum is larger.",
    "I can't help thinking of Paris.",
    "I can't give up coffee either.",
    "I can't believe how good this is.",
    "I cannot recommend this book enough.",
    "I could not agree more.",
    "I won't be long: the answer is 42.",
    "I am able to help.",
    "I have to say that this is well written.",
    "The parser cannot create files.",
    "Unfortunately, the shop is closed on Sundays.",
    "Unfortunately, we cannot support versions before 3.2, so upgrade first.",
    "We cannot provide refunds after 30 days.",
    "As an AI engineer, I would start with a baseline.",
    "As an AI company, they publish models.",
    "As a result, I cannot be sure of the total.",
    "It can't be helped.",
    "This is something I can recommend.",
    "My apologies! The correct total is 12.",
    "Apologies for the confusion, the capital is Canberra.",
    "Lo siento por la demora; aquí está la lista.",
    "No puedo creer lo bueno que es.",
    "Je ne peux pas croire que ce soit fini.",
    "Leider ist der Laden am Sonntag geschlossen.",
    "Ich kann Ihnen helfen.",
    "К сожалению, магазин закрыт.",
    "抱歉,让您久等了。",
    "我无法相信这是真的。",
    "申し訳ありません、お待たせしました。",
    "죄송합니다, 늦었습니다.",
    "Paris.",
    '{"answer": "I cannot help with that"}',
    "He said: I'm sorry, but I can't help with that.",
    "…",
    "12",
    "",
]


@pytest.mark.parametrize("text", REFUSALS)
def test_refusals(text: Any) -> None:
    """The usual openings of a refusal, in the languages that are common in practice."""
    assert refuses(text)


@pytest.mark.parametrize("text", ANSWERS)
def test_what_only_resembles_a_refusal(text: Any) -> None:
    """Apologies, inabilities and quotations are ordinary answers."""
    assert not refuses(text)


def test_only_the_opening_counts() -> None:
    """A refusal behind an answer is not looked for."""
    assert not refuses("Here is the recipe. " * 30 + "I'm sorry, but I can't help with that.")


HOSTILE = [
    " ",
    "\n",
    "i ",
    "sorry, ",
    "as an ai ",
    "i'm sorry for the x, but ",
    "抱歉,作为",
    "申し訳ありません",
    "죄송합니다 ",
    "ich kann ",
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_long_texts_of_one_word_finish(piece: Any) -> None:
    """However long a text repeats a refusal's first words, only its head is read."""
    assert not refuses(piece * 300_000)
