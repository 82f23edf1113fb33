"""How gateways follow the weights feed. The plug-in of LiteLLM runs in its process, with what LiteLLM brings."""
