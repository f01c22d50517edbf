import FoundationEssentials
import Testing

@testable import SocialWire

struct `The server's end` {
    @Test func `speaks first, once the transport stands`() {
        var connection = RPCServerConnection(modules: [])
        var effects: [RPCServerConnection.Effect] = []
        connection.handle(.opened, into: &effects)
        #expect(effects == [.send([0x0D, 0, 0, 0, 0x58])])
    }

    @Test func `makes a port each time it is asked, and counts them itself`() {
        var bench = ServerBench()
        bench.take(3, .createPort(name: "main"))
        bench.take(0x07FF_FFFF, .createPort(name: ""))
        #expect(
            bench.sent() == [RPCMessage(3, .portCreated(port: 2)), RPCMessage(0x07FF_FFFF, .portCreated(port: 3))])
    }

    @Test func `numbers procedures over all modules of a port, and the same each time`() {
        var bench = ServerBench()
        bench.take(3, .createPort(name: "other"))
        bench.take(4, .requestModule(port: 1, name: "second"))
        bench.take(5, .requestModule(port: 2, name: "second"))
        bench.take(6, .requestModule(port: 1, name: "echo"))
        bench.take(7, .requestModule(port: 1, name: "second"))
        let listings = bench.sent().dropFirst().map { message -> [UInt32] in
            guard case .moduleLoaded(_, let procedures) = message.body else { return [] }
            return procedures.map(\.id)
        }
        #expect(listings == [[5], [1], [1, 2, 3, 4], [5]])
        bench.take(8, .request(port: 1, procedure: 5, clientStream: 0, payload: Data([7])))
        guard case .start(_, let order)? = bench.flush().last else { return #expect(Bool(false), "not started") }
        #expect(order == .init(module: 1, procedure: 0, port: 1, payload: Data([7])))
    }

    @Test func `answers each call once, in whatever order they end`() throws {
        var bench = ServerBench()
        let first = try bench.call(3, procedure: 1)
        _ = bench.flush()
        let second = try bench.call(4, procedure: 1)
        _ = bench.flush()
        bench.handle(.procedureAnswered(second, Data([2])))
        bench.handle(.procedureFailed(first, code: 9, message: ""))
        bench.handle(.procedureAnswered(first, Data([1])))
        #expect(
            bench.flush() == [
                .send(4, .response(payload: Data([2]))),
                .send(3, .remoteError(code: 9, message: "Error processing the request")),
            ])
        #expect(bench.connection.callCount == 0 && bench.connection.unfinishedCount == 2)
        bench.handle(.callFinished(first))
        bench.handle(.callFinished(second))
        #expect(bench.connection.unfinishedCount == 0)
    }

    @Test func `refuses in the reference implementation's words`() {
        var bench = ServerBench()
        bench.take(3, .request(port: 7, procedure: 1, clientStream: 0, payload: Data()))
        bench.take(4, .requestModule(port: 7, name: "echo"))
        bench.take(5, .requestModule(port: 1, name: "nope"))
        bench.take(6, .request(port: 1, procedure: 0, clientStream: 0, payload: Data()))
        bench.take(7, .request(port: 1, procedure: 5, clientStream: 0, payload: Data()))
        #expect(
            bench.sent() == [
                RPCMessage(3, .remoteError(code: 0, message: "invalid portId")),
                RPCMessage(4, .remoteError(code: 0, message: "Cannot find port 7")),
                RPCMessage(5, .remoteError(code: 0, message: "Module nope is not available for port main (1))")),
                RPCMessage(6, .remoteError(code: 0, message: "procedureId 0 is missing in main (1))")),
                RPCMessage(7, .remoteError(code: 0, message: "procedureId 5 is missing in main (1))")),
            ])
    }

    @Test func `answers nothing of a module that was loaded on another port`() throws {
        var bench = ServerBench()
        bench.take(3, .createPort(name: "other"))
        _ = bench.flush()
        bench.take(4, .request(port: 2, procedure: 1, clientStream: 0, payload: Data()))
        let missing = RPCMessage.Body.remoteError(code: 0, message: "procedureId 1 is missing in other (2))")
        #expect(bench.flush() == [.send(4, missing)])
        bench.take(5, .requestModule(port: 2, name: "echo"))
        _ = bench.flush()
        _ = try bench.call(6, procedure: 1, port: 2)
    }

    @Test func `refuses a stream where none is due, and its lack, and lets the stream's source go`() {
        var bench = ServerBench()
        bench.take(4, .request(port: 1, procedure: 1, clientStream: 3, payload: Data()))
        bench.take(5, .request(port: 1, procedure: 3, clientStream: 0, payload: Data()))
        #expect(
            bench.sent() == [
                RPCMessage(4, .remoteError(code: 0, message: "Procedure basic takes no stream")),
                RPCMessage(3, .stream(.close(.message, 0))),
                RPCMessage(5, .remoteError(code: 0, message: "Procedure collect takes a stream")),
            ])
    }

    @Test func `ends what runs on a destroyed port, and nothing else`() throws {
        var bench = ServerBench()
        bench.take(3, .createPort(name: "other"))
        bench.take(4, .requestModule(port: 2, name: "echo"))
        _ = bench.flush()
        let unary = try bench.call(5, procedure: 1)
        _ = bench.flush()
        let elsewhere = try bench.call(6, procedure: 1, port: 2)
        _ = bench.flush()
        let stream = try bench.stream(7)
        bench.take(0, .destroyPort(port: 99))
        bench.take(0, .destroyPort(port: 1))
        let gone = RPCMessage.Body.remoteError(code: 0, message: "Port 1 was destroyed")
        #expect(bench.flush() == [.cancel(unary), .send(5, gone), .cancel(stream), .send(7, gone)])
        bench.handle(.procedureAnswered(unary, Data()))
        bench.handle(.elementReady(stream, Data()))
        #expect(bench.flush().isEmpty)
        bench.handle(.procedureAnswered(elsewhere, Data()))
        bench.take(8, .request(port: 1, procedure: 1, clientStream: 0, payload: Data()))
        #expect(
            bench.sent() == [
                RPCMessage(6, .response(payload: Data())),
                RPCMessage(8, .remoteError(code: 0, message: "invalid portId")),
            ])
    }

    @Test func `closes where two calls could not be told apart`() throws {
        for clash in [3, 10, 11] as [UInt32] {
            var bench = ServerBench()
            let first = try bench.call(3, procedure: 1)
            _ = bench.flush()
            let second = try bench.call(11, procedure: 3, clientStream: 10)
            _ = bench.flush()
            bench.take(clash, .request(port: 1, procedure: 1, clientStream: 0, payload: Data()))
            #expect(
                bench.flush() == [
                    .cancel(first), .cancel(second), .close(code: 1002, reason: "a message number is in use"),
                ])
        }
        for (number, stream) in [(3, 3), (3, 0x0800_0000), (3, 11)] as [(UInt32, UInt32)] {
            var bench = ServerBench()
            _ = try bench.call(11, procedure: 1)
            bench.take(number, .request(port: 1, procedure: 3, clientStream: stream, payload: Data()))
            #expect(bench.connection.isClosed, "\(number) \(stream)")
        }
    }

    @Test func `takes a number again as soon as it is answered, and a late word of the call before changes nothing`()
        throws
    {
        var bench = ServerBench()
        let first = try bench.stream(3)
        bench.take(3, .stream(.close(.ack, 0)))
        _ = bench.flush()
        let second = try bench.call(3, procedure: 1)
        _ = bench.flush()
        bench.handle(.elementReady(first, Data([1])))
        bench.handle(.procedureFailed(first, code: 1, message: "late"))
        bench.handle(.callFinished(first))
        #expect(bench.flush().isEmpty)
        bench.handle(.procedureAnswered(second, Data([2])))
        #expect(bench.flush() == [.send(3, .response(payload: Data([2])))])
    }

    @Test(
        arguments: [
            [], [0x0D, 0, 0, 0, 0x60], [0x0D, 5, 0, 0, 0x10, 0x32, 1, 0x78], [0x08, 5], [0x0D, 1],
            [0x0D, 0, 0, 0, 0x58],
            [0x0D, 1, 0, 0, 0x30], [0x0D, 1, 0, 0, 0x40], [0x0D, 1, 0, 0, 0x48],
        ] as [[UInt8]])
    func `closes at a frame that makes no sense, and ends everything`(bytes: [UInt8]) throws {
        var bench = ServerBench()
        let call = try bench.call(3, procedure: 1)
        let stream = try bench.stream(4)
        bench.handle(.frameReceived(bytes))
        let effects = bench.flush()
        #expect(effects.dropLast() == [.cancel(call), .cancel(stream)])
        guard case .close(1002, _)? = effects.last else { return #expect(Bool(false), "\(effects)") }
        bench.handle(.procedureAnswered(call, Data()))
        bench.take(9, .createPort(name: "late"))
        bench.handle(.transportClosed)
        #expect(bench.flush().isEmpty)
        bench.handle(.callFinished(call))
        bench.handle(.callFinished(stream))
        #expect(bench.connection.unfinishedCount == 0 && bench.connection.portCount == 0)
    }

    @Test func `says with which code it closes`() {
        for (event, code) in [
            (.textReceived, 1003), (.goingAway, 1001), (.frameReceived([UInt8](repeating: 0, count: 101)), 1009),
        ]
            as [(RPCServerConnection.Event, UInt16)]
        {
            var bench = ServerBench { $0.frameBytesLimit = 100 }
            bench.handle(event)
            guard case .close(code, _)? = bench.flush().last else { return #expect(Bool(false), "\(event)") }
        }
    }

    @Test func `keeps its bounds`() throws {
        var bench = ServerBench {
            $0.portsLimit = 2
            $0.modulesPerPortLimit = 1
            $0.callsLimit = 3
            $0.streamsLimit = 1
            $0.frameBytesLimit = 200
            $0.nameBytesLimit = 5
        }
        func refusals() -> [String] {
            bench.sent().compactMap { if case .remoteError(0, let message) = $0.body { message } else { nil } }
        }
        bench.take(3, .createPort(name: "longer"))
        bench.take(3, .requestModule(port: 1, name: "longer"))
        bench.take(3, .requestModule(port: 1, name: "echo"))
        bench.take(3, .createPort(name: "two"))
        bench.take(3, .createPort(name: "three"))
        #expect(
            refusals() == ["The name of the port is too long", "The name of the module is too long", "Too many ports"])
        bench.take(0, .destroyPort(port: 2))
        bench.take(3, .createPort(name: "three"))
        #expect(bench.sent() == [RPCMessage(3, .portCreated(port: 3))])
        let unary = try bench.call(4, procedure: 1)
        _ = bench.flush()
        let stream = try bench.stream(5)
        #expect(throws: NotStarted.self) { try bench.call(6, procedure: 2) }
        #expect(refusals() == ["Too many streams at once: 1 are open on this connection"])
        _ = try bench.call(7, procedure: 1)
        _ = bench.flush()
        #expect(throws: NotStarted.self) { try bench.call(8, procedure: 1) }
        #expect(refusals() == ["Too many calls at once: 3 are under way on this connection"])
        // What was given up counts until it has noticed.
        bench.take(5, .stream(.close(.ack, 0)))
        #expect(throws: NotStarted.self) { try bench.call(9, procedure: 2) }
        bench.handle(.callFinished(stream))
        _ = bench.flush()
        _ = try bench.call(9, procedure: 2)
        _ = bench.flush()
        bench.handle(.procedureAnswered(unary, Data(count: 200)))
        #expect(refusals() == ["The answer is too long"])
    }
}
