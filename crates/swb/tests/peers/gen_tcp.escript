#!/usr/bin/env escript
%% client PACKET PORT COUNT: sends COUNT messages of many sizes, each must come back as it went.
%% server PACKET: says its port, echoes one conversation to its end, says how many messages it was.

main(["client", Packet, Port, Count]) ->
    {ok, Socket} = gen_tcp:connect({127, 0, 0, 1}, list_to_integer(Port), options(Packet), 10000),
    Messages = [message(Packet, N) || N <- lists:seq(1, list_to_integer(Count))],
    %% All out before the first is read: the peer has to cope with many in one go.
    spawn_link(fun() -> [ok = gen_tcp:send(Socket, M) || M <- Messages] end),
    [begin {ok, M} = gen_tcp:recv(Socket, 0, 10000) end || M <- Messages],
    ok = gen_tcp:shutdown(Socket, write),
    {error, closed} = gen_tcp:recv(Socket, 0, 10000),
    io:format("echoed ~b~n", [length(Messages)]);
main(["server", Packet]) ->
    {ok, Listener} = gen_tcp:listen(0, [{ip, {127, 0, 0, 1}} | options(Packet)]),
    {ok, Port} = inet:port(Listener),
    io:format("port ~b~n", [Port]),
    {ok, Socket} = gen_tcp:accept(Listener, 30000),
    io:format("served ~b~n", [echo(Socket, 0)]).

echo(Socket, Count) ->
    case gen_tcp:recv(Socket, 0, 30000) of
        {ok, Message} ->
            ok = gen_tcp:send(Socket, Message),
            echo(Socket, Count + 1);
        {error, closed} ->
            ok = gen_tcp:close(Socket),
            Count
    end.

%% A line longer than the buffer would come in pieces.
options("line") -> [binary, {active, false}, {packet, line}, {buffer, 200000}, {exit_on_close, false}];
options(Bytes) ->
    [binary, {active, false}, {packet, list_to_integer(Bytes)}, {exit_on_close, false}].

%% Sizes on both sides of what one byte, two bytes and a buffer hold.
message("line", N) -> <<(fill(N, size_of(N, 100000)))/binary, "\n">>;
message("1", N) -> fill(N, N rem 256);
message("2", N) -> fill(N, size_of(N, 65535));
message("4", N) -> fill(N, size_of(N, 300000)).

size_of(N, Max) when N rem 50 =:= 0 -> Max;
size_of(N, _) -> N * N rem 5000 - N rem 2 * (N * N rem 5000).

fill(N, Size) -> binary:copy(<<(N rem 26 + $a)>>, Size).
