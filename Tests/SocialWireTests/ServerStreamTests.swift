import FoundationEssentials
import Testing

@testable import SocialWire

struct `A stream of the server` {
    @Test func `goes element by element, each asked for by an ack`() throws {
        var bench = ServerBench()
        let id = try bench.call(3, procedure: 2)
        _ = bench.flush()
        bench.handle(.streamReady(id))
        #expect(bench.flush() == [.send(3, .stream(.element(0)))])
        bench.take(3, .stream(.ack(0)))
        #expect(bench.flush() == [.pull(id)])
        bench.handle(.elementReady(id, Data([7])))
        #expect(bench.flush() == [.send(3, .stream(.element(1, 7)))])
        // Doubled, early and foreign acks ask for nothing.
        for ack in [0, 2, 1] as [UInt32] { bench.take(3, .stream(.ack(ack))) }
        #expect(bench.flush() == [.pull(id)])
        bench.take(3, .stream(.ack(1)))
        bench.take(99, .stream(.ack(1)))
        #expect(bench.flush().isEmpty)
        bench.handle(.elementReady(id, Data()))
        #expect(bench.flush() == [.send(3, .stream(.element(2)))])
        bench.take(3, .stream(StreamFrame(.message, port: 77, sequence: 2, isAck: true)))
        #expect(bench.flush() == [.pull(id)])
        bench.handle(.sourceEnded(id))
        #expect(bench.flush() == [.send(3, .stream(.close(.message, 2)))])
        #expect(bench.connection.callCount == 0)
    }

    enum Moment: CaseIterable {
        case running, offered, awaitingElement, awaitingAck
    }

    /// In either kind of frame, with the sequence that is due or another: the close is honoured at once.
    @Test(arguments: [StreamFrame.Kind.message, .ack], Moment.allCases)
    func `ends when its consumer closes it, at any time`(kind: StreamFrame.Kind, moment: Moment) throws {
        for sequence in [0, 1, 2, UInt32.max] {
            var bench = ServerBench()
            let id = try bench.call(3, procedure: 2)
            if moment != .running { bench.handle(.streamReady(id)) }
            if moment == .awaitingElement || moment == .awaitingAck { bench.take(3, .stream(.ack(0))) }
            if moment == .awaitingAck { bench.handle(.elementReady(id, Data([1]))) }
            _ = bench.flush()
            bench.take(3, .stream(.close(kind, sequence)))
            #expect(bench.flush() == [.cancel(id)])
            bench.take(3, .stream(.close(kind, sequence)))
            bench.handle(.sourceEnded(id))
            bench.handle(.callFinished(id))
            #expect(bench.flush().isEmpty)
            #expect(bench.connection.callCount == 0 && bench.connection.unfinishedCount == 0)
        }
    }

    @Test func `that fails ends with an error, whenever that is`() throws {
        var bench = ServerBench()
        let id = try bench.stream(3)
        bench.handle(.elementReady(id, Data([1])))
        _ = bench.flush()
        bench.handle(.procedureFailed(id, code: 78, message: "safe error"))
        bench.take(3, .stream(.ack(1)))
        #expect(bench.flush() == [.send(3, .remoteError(code: 78, message: "safe error"))])
    }

    @Test func `with an element too long ends with an error`() throws {
        var bench = ServerBench { $0.frameBytesLimit = 100 }
        let id = try bench.stream(3)
        bench.handle(.elementReady(id, Data(count: 90)))
        #expect(bench.flush() == [.cancel(id), .send(3, .remoteError(code: 0, message: "An element is too long"))])
    }

    @Test func `of the one kind does not hear what is meant for calls of the other`() throws {
        var bench = ServerBench()
        let id = try bench.call(3, procedure: 1)
        _ = bench.flush()
        bench.take(3, .stream(.close(.ack, 0)))
        bench.take(3, .stream(.ack(0)))
        bench.take(3, .stream(.element(1)))
        #expect(bench.flush().isEmpty)
        bench.handle(.procedureAnswered(id, Data()))
        #expect(bench.sent().count == 1)
    }
}

struct `A stream of the client` {
    private func started(_ bench: inout ServerBench) throws -> RPCServerConnection.CallID {
        let id = try bench.call(4, procedure: 3, clientStream: 3)
        _ = bench.flush()
        return id
    }

    @Test func `is opened when the procedure first asks, and acknowledged when it asks again`() throws {
        var bench = ServerBench()
        let id = try started(&bench)
        bench.handle(.argumentAsked(id))
        #expect(bench.flush() == [.send(3, .stream(.ack(0)))])
        bench.take(3, .stream(.element(1, 9)))
        #expect(bench.flush() == [.deliver(id, Data([9]))])
        bench.take(3, .stream(.element(1, 9)))
        #expect(bench.flush().isEmpty)
        bench.handle(.argumentAsked(id))
        bench.handle(.argumentAsked(id))
        #expect(bench.flush() == [.send(3, .stream(.ack(1)))])
        bench.take(3, .stream(.close(.message, 1)))
        #expect(bench.flush() == [.endArgument(id)])
        bench.handle(.argumentAsked(id))
        #expect(bench.flush() == [.endArgument(id)])
        bench.handle(.procedureAnswered(id, Data([1])))
        #expect(bench.flush() == [.send(4, .response(payload: Data([1])))])
    }

    @Test func `that was never opened is closed behind the answer`() throws {
        var bench = ServerBench()
        let id = try started(&bench)
        bench.handle(.argumentDropped(id))
        bench.handle(.procedureAnswered(id, Data([1])))
        #expect(
            bench.sent() == [RPCMessage(4, .response(payload: Data([1]))), RPCMessage(3, .stream(.close(.message, 0)))])
    }

    @Test func `is closed when the procedure wants no more`() throws {
        var bench = ServerBench()
        let id = try started(&bench)
        bench.handle(.argumentAsked(id))
        bench.take(3, .stream(.element(1, 9)))
        _ = bench.flush()
        bench.handle(.argumentDropped(id))
        bench.handle(.procedureAnswered(id, Data()))
        #expect(
            bench.sent() == [RPCMessage(3, .stream(.close(.message, 1))), RPCMessage(4, .response(payload: Data()))])
    }

    @Test func `whose client did not hear the close is closed once more at its late element`() throws {
        for isAnswered in [false, true] {
            var bench = ServerBench()
            let id = try started(&bench)
            bench.handle(.argumentAsked(id))
            bench.handle(.argumentDropped(id))
            if isAnswered { bench.handle(.procedureAnswered(id, Data())) }
            _ = bench.flush()
            bench.take(3, .stream(.element(1, 9)))
            #expect(bench.flush() == [.send(3, .stream(.close(.message, 1)))])
            bench.take(3, .stream(.element(2, 9)))
            #expect(bench.flush().isEmpty)
        }
    }

    @Test func `is closed when its call fails, and when the result is closed`() throws {
        var bench = ServerBench()
        let failing = try started(&bench)
        bench.handle(.argumentAsked(failing))
        _ = bench.flush()
        bench.handle(.procedureFailed(failing, code: 0, message: "no"))
        #expect(
            bench.sent() == [
                RPCMessage(4, .remoteError(code: 0, message: "no")), RPCMessage(3, .stream(.close(.message, 0))),
            ])
        let double = try bench.call(6, procedure: 4, clientStream: 5)
        bench.handle(.streamReady(double))
        bench.handle(.argumentAsked(double))
        bench.take(5, .stream(.element(1, 1)))
        _ = bench.flush()
        bench.take(6, .stream(.close(.ack, 0)))
        #expect(bench.flush() == [.cancel(double), .send(5, .stream(.close(.message, 1)))])
    }

    @Test func `with more than was asked for closes the connection`() throws {
        for isOpened in [false, true] {
            var bench = ServerBench()
            let id = try started(&bench)
            if isOpened {
                bench.handle(.argumentAsked(id))
                bench.take(3, .stream(.element(1, 1)))
            }
            _ = bench.flush()
            bench.take(3, .stream(.element(2, 1)))
            #expect(bench.flush() == [.cancel(id), .close(code: 1002, reason: "an element that nobody asked for")])
        }
    }
}
