"""Whether what was read has the types and the sense that runtime-spec asks for."""
