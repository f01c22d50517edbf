import Foundation
import NIOCore
import SocialTransport
import SocialWire
import Testing

@Suite(.timeLimit(.minutes(3))) struct `A client that behaves badly` {
    /// Another connection, which must not notice.
    private func undisturbed(_ module: RPCClientModule) async throws {
        for number in 0..<20 as Range<UInt8> {
            #expect(try await module.call("identity", Data([number])) == Data([number]))
        }
    }

    private func frame(_ number: UInt32, _ body: RPCMessage.Body) -> [UInt8] {
        RPCMessage(MessageNumber(number), body).encoded()
    }

    private func loaded(_ bench: RPCBench) async throws -> PlainSocket {
        let socket = try await bench.open()
        try await socket.send(frame(1, .createPort(name: "main")))
        _ = try await socket.message()
        try await socket.send(frame(2, .requestModule(port: 1, name: "echo")))
        _ = try await socket.message()
        return socket
    }

    private func request(_ number: UInt32, _ procedure: UInt32, _ payload: Data = Data()) -> [UInt8] {
        frame(number, .request(port: 1, procedure: procedure, clientStream: 0, payload: payload))
    }

    @Test func `by never taking the next element holds one, and lets it go when it closes`() async throws {
        let bench = try await RPCBench()
        let client = try await bench.client()
        let module = try await bench.echoModule(of: client)
        let socket = try await loaded(bench)
        for number in 3..<10 as Range<UInt32> {
            try await socket.send(request(number, 11))
            _ = try await socket.message()
            let ack = StreamFrame(.ack, port: 1, sequence: 0, isAck: true)
            try await socket.send(frame(number, .stream(ack)))
            _ = try await socket.message()
        }
        #expect(bench.service.counts.streams == 7 && bench.echo.sources.open == 7)
        try await undisturbed(module)
        socket.close()
        try await waits { bench.service.counts.streams == 0 && bench.echo.sources.open == 0 }
        await client.close()
        try await bench.isQuiet()
        try await bench.stop()
    }

    /// Cut either when something more is to be sent to it, or, as it is not read from either, for its silence.
    @Test func `by never reading is cut, and holds no memory`() async throws {
        let bench = try await RPCBench { $0.pulses = WebSocketPulses(interval: .seconds(1)) }
        let client = try await bench.client()
        let module = try await bench.echoModule(of: client)
        let socket = try await loaded(bench)
        try await socket.channel.setOption(.autoRead, value: false).get()
        // Calls that answer 64 KiB each, until the server has had enough.
        let payload = Data(repeating: 1, count: 64 * 1024)
        let sending = Task {
            for number in 3... as PartialRangeFrom<UInt32> { try await socket.send(request(number, 3, payload)) }
        }
        try await waits { bench.service.counts.connections == 1 }
        try await undisturbed(module)
        socket.close()
        _ = await sending.result
        await client.close()
        try await bench.isQuiet()
        try await bench.stop()
    }

    /// What was asked before is answered, however slowly it is taken; past a bound nobody is waited for.
    @Test(arguments: [256 << 10, 64 << 20]) func `by reading late is waited for up to a bound`(bound: Int) async throws
    {
        let big = RPCModule("big", [RPCProcedure("big", .unary { _ in Data(count: 900_000) })])
        let bench = try await RPCBench(modules: [big]) { $0.webSocket.cutPastBytes = bound }
        let socket = try await bench.open()
        try await socket.send(frame(1, .createPort(name: "main")))
        _ = try await socket.message()
        try await socket.send(frame(2, .requestModule(port: 1, name: "big")))
        _ = try await socket.message()
        try await socket.channel.setOption(.autoRead, value: false).get()
        // More than the sockets take, asked for at once.
        let requests = (3..<23 as Range<UInt32>).flatMap { socket.encode(request($0, 1)) }
        try await socket.channel.writeAndFlush(ByteBuffer(bytes: requests)).get()
        try await waits { bench.service.counts.callsStarted == 20 && bench.service.counts.calls == 0 }
        // One more that is to be answered; whoever is cut by now cannot be asked.
        try? await socket.send([], opcode: 9)
        try? await socket.channel.setOption(.autoRead, value: true).get()
        var answers = 0
        while answers < 20, let frame = await socket.frame(), frame.opcode == 2 || frame.opcode == 10 {
            if frame.opcode == 2 { answers += 1 }
        }
        #expect((answers == 20) == (bound > 1 << 20), "\(answers) answers")
        socket.close()
        try await bench.isQuiet()
        try await bench.stop()
    }

    /// The answers are made when it has long stopped reading, and no ping is there to notice that.
    @Test func `by never reading is cut as soon as more waits for it than may`() async throws {
        let (gate, opening) = AsyncStream.makeStream(of: Void.self)
        let opened = Task { for await _ in gate {} }
        let large = RPCProcedure(
            "large",
            .unary { _ in
                await opened.value
                return Data(count: 512 * 1024)
            })
        let bench = try await RPCBench(modules: [RPCModule("large", [large])]) {
            $0.pulses = WebSocketPulses(interval: .seconds(3600))
        }
        let socket = try await loaded(bench)
        try await socket.send(frame(3, .requestModule(port: 1, name: "large")))
        let answer = try RPCMessage(decoding: #require(await socket.message()))
        guard case .moduleLoaded(_, let procedures) = answer.body, let procedure = procedures.first?.id else {
            Issue.record("not loaded: \(answer)")
            return
        }
        try await socket.channel.setOption(.autoRead, value: false).get()
        // Far more than all buffers between the two ends take.
        for number in 4..<64 as Range<UInt32> { try await socket.send(request(number, procedure)) }
        try await waits { bench.service.counts.calls == 60 }
        opening.finish()
        try await waits { bench.service.counts.connections == 0 }
        socket.close()
        try await bench.isQuiet()
        try await bench.stop()
    }

    @Test func `a thousand times, by beginning and never ending a handshake, is dropped in time`() async throws {
        let bench = try await RPCBench(firstRequestLimit: .seconds(2))
        let client = try await bench.client()
        let module = try await bench.echoModule(of: client)
        var sockets: [PlainSocket] = []
        for number in 0..<1000 {
            let socket = try await PlainSocket.connect(to: bench.port)
            let text = PlainSocket.request("/rpc")
            try await socket.send(text: String(text.prefix(number % (text.count - 1))))
            sockets.append(socket)
        }
        try await undisturbed(module)
        for socket in sockets { #expect(await socket.frame() == nil) }
        try await undisturbed(module)
        #expect(bench.service.counts.connectionsOpened == 1)
        await client.close()
        try await bench.isQuiet()
        try await bench.stop()
    }

    @Test func `beyond the most connections is told that there is no room`() async throws {
        let bench = try await RPCBench { $0.connectionsLimit = 1 }
        let socket = try await bench.open()
        await #expect(throws: PlainSocket.Refused.self) { _ = try await PlainSocket.open("/rpc", on: bench.port) }
        #expect(bench.service.counts.connectionsRefused == 1)
        socket.close()
        try await waits { bench.service.counts.connections == 0 }
        let again = try await bench.open()
        again.close()
        try await bench.isQuiet()
        try await bench.stop()
    }

    @Test func `by hanging up in the middle of everything leaves nothing running`() async throws {
        let bench = try await RPCBench()
        for procedure in [1, 7, 11, 12, 14, 15, 17] as [UInt32] {
            let socket = try await loaded(bench)
            let stream: UInt32 = procedure >= 14 ? 3 : 0
            try await socket.send(
                frame(4, .request(port: 1, procedure: procedure, clientStream: stream, payload: Data())))
            _ = try await socket.message()
            let ack = StreamFrame(.ack, port: 1, sequence: 0, isAck: true)
            try await socket.send(frame(4, .stream(ack)))
            socket.close()
        }
        try await bench.isQuiet()
        #expect(bench.service.counts.callsStarted == 7)
        try await bench.stop()
    }
}
