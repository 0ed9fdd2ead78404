"""Many sessions of a backtest in one compiled loop over the rules' kernels.

`trade_session` trades a session with objects and words; the loop trades those in which nothing out of the ordinary
happens with numbers alone, and hands the others over. Both call the same kernels, so both come to the same orders,
fills and values to the last bit; tests compare them.
"""
