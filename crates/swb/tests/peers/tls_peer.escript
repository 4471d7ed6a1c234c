#!/usr/bin/env escript
-mode(compile).
%% As gen_tcp.escript with {packet, 4}, over ssl.
%% client PORT CERT COUNT; server CERT KEY.

main([What | Args]) ->
    {ok, _} = application:ensure_all_started(ssl),
    run(What, Args).

run("client", [Port, Cert, Count]) ->
    Options = [{verify, verify_peer}, {cacertfile, Cert}, {server_name_indication, "localhost"},
               {verify_fun, {fun verify/3, []}} | options()],
    {ok, Socket} = ssl:connect({127, 0, 0, 1}, list_to_integer(Port), Options, 30000),
    Messages = [message(N) || N <- lists:seq(1, list_to_integer(Count))],
    spawn_link(fun() -> [ok = ssl:send(Socket, M) || M <- Messages] end),
    [begin {ok, M} = ssl:recv(Socket, 0, 30000) end || M <- Messages],
    ok = ssl:close(Socket),
    io:format("echoed ~b~n", [length(Messages)]);
run("server", [Cert, Key]) ->
    {ok, Listener} = ssl:listen(0, [{ip, {127, 0, 0, 1}}, {certfile, Cert}, {keyfile, Key}
                                    | options()]),
    {ok, {_, Port}} = ssl:sockname(Listener),
    io:format("port ~b~n", [Port]),
    {ok, Hello} = ssl:transport_accept(Listener, 30000),
    {ok, Socket} = ssl:handshake(Hello, 30000),
    io:format("served ~b~n", [echo(Socket, 0)]).

echo(Socket, Count) ->
    case ssl:recv(Socket, 0, 30000) of
        {ok, Message} ->
            ok = ssl:send(Socket, Message),
            echo(Socket, Count + 1);
        {error, closed} -> Count
    end.

%% Erlang says no to what is signed by itself, also where it is given as an authority.
verify(_, {bad_cert, selfsigned_peer}, State) -> {valid, State};
verify(_, {bad_cert, Why}, _) -> {fail, Why};
verify(_, {extension, _}, State) -> {unknown, State};
verify(_, _, State) -> {valid, State}.

options() -> [binary, {active, false}, {packet, 4}].

message(N) -> binary:copy(<<(N rem 26 + $a)>>, N * N rem 5000).
