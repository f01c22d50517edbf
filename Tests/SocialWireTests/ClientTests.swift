import FoundationEssentials
import SocialWire
import Testing

/// The client's end of a connection under test.
struct ClientBench {
    typealias Connection = RPCClientConnection
    typealias WaiterID = RPCClientConnection.WaiterID

    var connection: Connection
    private var effects: [Connection.Effect] = []

    /// The server is ready.
    init(_ change: (inout Connection.Configuration) -> Void = { _ in }) {
        var configuration = Connection.Configuration()
        change(&configuration)
        connection = Connection(configuration: configuration)
        take(0, .serverReady)
        effects = []
    }

    mutating func handle(_ event: Connection.Event) { connection.handle(event, into: &effects) }

    mutating func take(_ number: UInt32, _ body: RPCMessage.Body) {
        handle(.frameReceived(RPCMessage(number, body).encoded()))
    }

    mutating func call(_ waiter: UInt64, _ kind: ProcedureKind, _ payload: Data = Data()) {
        handle(.callWanted(WaiterID(waiter), .init(port: 1, procedure: 0, kind: kind, payload: payload)))
    }

    mutating func flush() -> [Connection.Effect] {
        defer { effects = [] }
        return effects
    }

    /// Waiter 7 has a stream under number 1; its element 1 came.
    mutating func streaming() {
        call(7, .serverStream)
        take(1, .stream(.element(0)))
        handle(.elementAsked(WaiterID(7)))
        take(1, .stream(.element(1, 5)))
        effects = []
    }
}

extension RPCClientConnection.Effect {
    static func send(_ number: UInt32, _ body: RPCMessage.Body) -> Self {
        .send(RPCMessage(MessageNumber(number), body).encoded())
    }
}

struct `The client's end` {
    let waiter = ClientBench.WaiterID(7)

    @Test func `waits for the server's first word, and for no second one`() {
        var connection = RPCClientConnection()
        var effects: [RPCClientConnection.Effect] = []
        let ready = RPCMessage(0, .serverReady).encoded()
        connection.handle(.frameReceived(ready), into: &effects)
        connection.handle(.frameReceived(ready), into: &effects)
        #expect(effects == [.becameReady])
    }

    @Test func `counts its questions from 1, and a stream for argument before its call`() {
        var bench = ClientBench()
        bench.handle(.portWanted(.init(1), name: "main"))
        bench.handle(.moduleWanted(.init(2), port: 1, name: "echo"))
        bench.call(3, .clientStream)
        bench.call(4, .unary, Data([1]))
        bench.handle(.portGivenUp(1))
        #expect(
            bench.flush() == [
                .send(1, .createPort(name: "main")), .send(2, .requestModule(port: 1, name: "echo")),
                .send(4, .request(port: 1, procedure: 0, clientStream: 3, payload: Data())),
                .send(5, .request(port: 1, procedure: 0, clientStream: 0, payload: Data([1]))),
                .send(0, .destroyPort(port: 1)),
            ])
    }

    @Test func `begins anew behind the last number, and passes over those in use`() {
        var bench = ClientBench { $0.firstNumber = .last }
        for number in [7, 8, 9] as [UInt64] { bench.call(number, .unary) }
        func asked() -> [UInt32] {
            bench.flush().compactMap { effect in
                guard case .send(let bytes) = effect else { return nil }
                return (try? RPCMessage(decoding: bytes))?.number.value
            }
        }
        #expect(asked() == [0x07FF_FFFF, 1, 2])
        var again = ClientBench { $0.firstNumber = MessageNumber(0x07FF_FFFE) }
        for number in [7, 8] as [UInt64] { again.call(number, .unary) }
        bench = again
        bench.handle(.givenUp(.init(8)))
        bench.take(0x07FF_FFFE, .response(payload: Data()))
        _ = bench.flush()
        // 0x07FF_FFFE is free again, 0x07FF_FFFF may still be answered: but the count goes on from 1.
        for number in [9, 10] as [UInt64] { bench.call(number, .unary) }
        #expect(asked() == [1, 2])
    }

    @Test func `gives each answer to whom it is for, once`() {
        var bench = ClientBench()
        bench.handle(.portWanted(.init(1), name: "main"))
        bench.handle(.moduleWanted(.init(2), port: 1, name: "echo"))
        bench.call(3, .unary)
        bench.call(4, .unary)
        _ = bench.flush()
        bench.take(4, .remoteError(code: 5, message: "no"))
        bench.take(3, .response(payload: Data([9])))
        bench.take(2, .moduleLoaded(port: 1, procedures: [.init(id: 0, name: "basic")]))
        bench.take(1, .portCreated(port: 12))
        for number in 1...4 as ClosedRange<UInt32> { bench.take(number, .response(payload: Data())) }
        #expect(
            bench.flush() == [
                .failed(.init(4), .remote(code: 5, message: "no")), .answered(.init(3), Data([9])),
                .moduleLoaded(.init(2), [.init(id: 0, name: "basic")]), .portCreated(.init(1), 12),
            ])
        #expect(bench.connection.waiterCount == 0)
    }

    @Test func `fails what is answered in another kind`() {
        var bench = ClientBench()
        bench.handle(.portWanted(.init(1), name: "main"))
        bench.call(2, .serverStream)
        bench.call(3, .unary)
        _ = bench.flush()
        bench.take(1, .response(payload: Data()))
        bench.take(2, .response(payload: Data()))
        bench.take(3, .stream(.element(0)))
        #expect(
            bench.flush() == [
                .failed(.init(1), .unexpectedAnswer), .failed(.init(2), .unexpectedAnswer),
                .send(3, .stream(.close(.ack, 0))), .failed(.init(3), .unexpectedAnswer),
            ])
    }

    @Test func `acknowledges an element when the next one is asked for`() {
        var bench = ClientBench()
        bench.call(7, .serverStream)
        _ = bench.flush()
        bench.take(1, .stream(.element(0)))
        #expect(bench.flush() == [.offered(waiter)])
        bench.handle(.elementAsked(waiter))
        #expect(bench.flush() == [.send(1, .stream(.ack(0)))])
        bench.take(1, .stream(.element(1)))
        bench.take(1, .stream(.element(1)))
        #expect(bench.flush() == [.element(waiter, Data())])
        bench.handle(.elementAsked(waiter))
        bench.take(1, .stream(.close(.message, 1)))
        #expect(bench.flush() == [.send(1, .stream(.ack(1))), .ended(waiter)])
    }

    @Test func `closes a stream in the place of the ack, in the kind that every server hears`() {
        for (asks, sequence) in [(false, 1), (true, 1)] as [(Bool, UInt32)] {
            var bench = ClientBench()
            bench.streaming()
            if asks { bench.handle(.elementAsked(waiter)) }
            _ = bench.flush()
            bench.handle(.givenUp(waiter))
            #expect(bench.flush() == [.send(1, .stream(.close(.ack, sequence)))])
            #expect(bench.connection.waiterCount == 0 && bench.connection.closedStreamCount == 1)
        }
    }

    @Test func `closes again at the late element of a closed stream, once, with its sequence`() {
        var bench = ClientBench()
        bench.streaming()
        bench.handle(.elementAsked(waiter))
        bench.handle(.givenUp(waiter))
        _ = bench.flush()
        bench.take(1, .stream(.element(2, 9)))
        #expect(bench.flush() == [.send(1, .stream(.close(.ack, 2)))])
        bench.take(1, .stream(.element(3, 9)))
        #expect(bench.flush().isEmpty && bench.connection.closedStreamCount == 0)
    }

    @Test func `takes the server's close of a stream that it closed itself`() {
        var bench = ClientBench()
        bench.streaming()
        bench.handle(.givenUp(waiter))
        _ = bench.flush()
        bench.take(1, .stream(.close(.message, 1)))
        bench.take(1, .remoteError(code: 0, message: "late"))
        #expect(bench.flush().isEmpty && bench.connection.closedStreamCount == 0)
    }

    @Test func `closes what comes of a call that it gave up: an offer, and a port`() {
        var bench = ClientBench()
        bench.call(7, .serverStream)
        bench.handle(.portWanted(.init(8), name: "main"))
        bench.handle(.givenUp(waiter))
        bench.handle(.givenUp(.init(8)))
        _ = bench.flush()
        bench.take(1, .stream(.element(0)))
        bench.take(2, .portCreated(port: 4))
        #expect(bench.flush() == [.send(1, .stream(.close(.ack, 0))), .send(0, .destroyPort(port: 4))])
        // A server that took the close for consent.
        bench.take(1, .stream(.element(1, 1)))
        #expect(bench.flush() == [.send(1, .stream(.close(.ack, 1)))])
    }

    @Test func `gives its own stream element by element, as the server asks`() {
        var bench = ClientBench()
        bench.call(7, .clientStream)
        _ = bench.flush()
        bench.take(1, .stream(.ack(0)))
        bench.take(1, .stream(.ack(0)))
        #expect(bench.flush() == [.pullArgument(waiter)])
        bench.handle(.argumentReady(waiter, Data([4])))
        #expect(bench.flush() == [.send(1, .stream(.element(1, 4)))])
        bench.take(1, .stream(.ack(1)))
        bench.handle(.argumentEnded(waiter))
        #expect(bench.flush() == [.pullArgument(waiter), .send(1, .stream(.close(.message, 1)))])
        bench.take(2, .response(payload: Data([8])))
        #expect(bench.flush() == [.answered(waiter, Data([8]))])
    }

    @Test func `lets its own stream go when the server closes it, or answers`() {
        var bench = ClientBench()
        bench.call(7, .clientStream)
        bench.take(1, .stream(.ack(0)))
        bench.handle(.argumentReady(waiter, Data([4])))
        _ = bench.flush()
        bench.take(1, .stream(.close(.message, 1)))
        #expect(bench.flush() == [.endArgument(waiter)])
        bench.take(2, .response(payload: Data()))
        #expect(bench.flush() == [.answered(waiter, Data())])
        bench.call(8, .clientStream)
        _ = bench.flush()
        bench.take(4, .response(payload: Data()))
        bench.take(3, .stream(.close(.message, 0)))
        #expect(bench.flush() == [.endArgument(.init(8)), .answered(.init(8), Data())])
    }

    @Test func `does not close its stream when the call is given up: half of it must not pass for the whole`() {
        var bench = ClientBench()
        bench.call(7, .clientStream)
        bench.take(1, .stream(.ack(0)))
        _ = bench.flush()
        bench.handle(.givenUp(waiter))
        #expect(bench.flush() == [.endArgument(waiter)])
    }

    @Test func `tells all who wait when the connection is lost, in their order, and whoever comes later`() {
        var bench = ClientBench()
        bench.call(9, .unary)
        bench.call(8, .clientStream)
        bench.streaming8()
        _ = bench.flush()
        bench.handle(.transportClosed)
        bench.call(10, .unary)
        #expect(
            bench.flush() == [
                .failed(.init(7), .lost), .endArgument(.init(8)), .failed(.init(8), .lost), .failed(.init(9), .lost),
                .failed(.init(10), .lost),
            ])
    }

    @Test func `closes at frames that make no sense, at those of clients, and at more than was asked for`() {
        let element = RPCMessage(1, .stream(.element(2, 9))).encoded()
        for bytes in [[], [0xFF], RPCMessage(1, .createPort(name: "")).encoded(), element] as [[UInt8]] {
            var bench = ClientBench()
            bench.streaming()
            bench.handle(.frameReceived(bytes))
            let effects = bench.flush()
            #expect(effects.first == .failed(waiter, .lost))
            guard case .close(1002, _)? = effects.last else { return #expect(Bool(false), "\(bytes): \(effects)") }
        }
    }

    @Test func `keeps its bounds`() {
        var bench = ClientBench {
            $0.waitersLimit = 1
            $0.frameBytesLimit = 100
            $0.closedStreamsLimit = 1
        }
        bench.call(6, .unary, Data(count: 90))
        bench.call(7, .unary)
        bench.call(8, .unary)
        bench.handle(.portWanted(.init(9), name: ""))
        #expect(
            bench.flush().filter { if case .send = $0 { false } else { true } } == [
                .failed(.init(6), .tooLong), .failed(.init(8), .tooMany), .failed(.init(9), .tooMany),
            ])
        for number in [7, 10, 11] as [UInt64] {
            bench.handle(.givenUp(.init(number)))
            bench.call(number == 7 ? 10 : 11, .unary)
        }
        #expect(bench.connection.closedStreamCount == 1)
    }
}

extension ClientBench {
    /// Waiter 7 calls after others did.
    fileprivate mutating func streaming8() { call(7, .serverStream) }
}
