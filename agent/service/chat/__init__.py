"""Chat completions as OpenAI's clients speak them, for tools that know no other protocol."""
