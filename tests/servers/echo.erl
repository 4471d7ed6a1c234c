%% gen_tcp with {packet, 4} or {packet, line}, as its documentation has it: a process for each
%% connection, which is given one message at a time. Called as `erl -noinput -run echo main PORT 4|line`.
-module(echo).
-export([main/1]).

main([Port, Packet]) ->
    {ok, Listener} = gen_tcp:listen(list_to_integer(Port), [
        binary, {ip, {127, 0, 0, 1}}, {packet, packet(Packet)}, {active, false}, {reuseaddr, true}
    ]),
    accept(Listener).

packet("4") -> 4;
packet("line") -> line.

accept(Listener) ->
    {ok, Socket} = gen_tcp:accept(Listener),
    Pid = spawn(fun() -> receive go -> echo(Socket) end end),
    ok = gen_tcp:controlling_process(Socket, Pid),
    Pid ! go,
    accept(Listener).

echo(Socket) ->
    case gen_tcp:recv(Socket, 0) of
        {ok, Message} ->
            ok = gen_tcp:send(Socket, Message),
            echo(Socket);
        {error, _} ->
            gen_tcp:close(Socket)
    end.
