"""The compiled backtest: many sessions in one loop over the kernels of the rules.

`trade_session`, the slow path, trades one session with objects and reasons; the loop trades ordinary sessions with
arrays alone and hands the others over to it. Both call the same kernels, so both give the same orders, fills and values
to the last bit; tests compare them.
"""
