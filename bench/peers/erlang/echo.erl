%% gen_tcp with {packet, 4} or {packet, line}: a process for each connection. Called as
%% `erl -noinput -s echo main WHERE FRAMING each|delayed`: each message is sent as it is answered, or
%% the driver may delay it to send more at once.
-module(echo).
-export([main/1]).

main([_Where, Framing, Sending]) ->
    Packet = case Framing of
        lines -> line;
        _ -> 4
    end,
    {ok, Listener} = gen_tcp:listen(0, [
        binary,
        {ip, {127, 0, 0, 1}},
        {packet, Packet},
        {active, false},
        {nodelay, true},
        {delay_send, Sending =:= delayed},
        {backlog, 1024}
    ]),
    {ok, Port} = inet:port(Listener),
    io:format("~b~n", [Port]),
    accept(Listener).

accept(Listener) ->
    {ok, Socket} = gen_tcp:accept(Listener),
    Pid = spawn(fun() -> receive go -> converse(Socket) end end),
    ok = gen_tcp:controlling_process(Socket, Pid),
    Pid ! go,
    accept(Listener).

converse(Socket) ->
    ok = inet:setopts(Socket, [{active, 100}]),
    loop(Socket).

loop(Socket) ->
    receive
        {tcp, Socket, Message} ->
            ok = gen_tcp:send(Socket, Message),
            loop(Socket);
        {tcp_passive, Socket} ->
            converse(Socket);
        {tcp_closed, Socket} ->
            ok;
        {tcp_error, Socket, _Reason} ->
            ok
    end.
