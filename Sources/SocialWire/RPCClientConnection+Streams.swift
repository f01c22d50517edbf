import struct FoundationEssentials.Data

/// Streams in both directions. dcl-rpc: server streams, client streams.
extension RPCClientConnection {
    mutating func take(_ frame: StreamFrame, _ number: MessageNumber, into effects: inout [Effect]) {
        guard let id = numbers[number], let waiter = waiters[id] else {
            return takeLate(frame, number, into: &effects)
        }
        if waiter.number == number {
            takeProducers(frame, of: waiter, into: &effects)
        } else {
            takeConsumers(frame, of: waiter, into: &effects)
        }
    }

    /// A producer that waited for its source did not hear the close; one that must be told again has just sent an
    /// element (or the offer of a call that was given up). Its own close needs no answer.
    private mutating func takeLate(_ frame: StreamFrame, _ number: MessageNumber, into effects: inout [Effect]) {
        guard !frame.isAck, closedStreams.forget(number), !frame.isClosed else { return }
        // At the offer the Rust server takes any word for consent, and will send one element more.
        if frame.sequence == 0 { closedStreams.remember(number) }
        send(
            number, .stream(StreamFrame(.ack, port: frame.port, sequence: frame.sequence, isClosed: true)),
            into: &effects)
    }

    // MARK: What the server produces

    private mutating func takeProducers(_ frame: StreamFrame, of waiter: Waiter, into effects: inout [Effect]) {
        guard !frame.isAck else { return }
        let id = waiter.id
        switch waiter.stage {
        case .port, .module: end(waiter, with: .failed(id, .unexpectedAnswer), into: &effects)
        case .answer:
            guard waiter.kind.givesStream, !frame.isClosed, frame.sequence == 0 else {
                if !frame.isClosed { closeStream(of: waiter, frame.sequence, into: &effects) }
                return end(waiter, with: .failed(id, .unexpectedAnswer), into: &effects)
            }
            waiters[id]?.stage = .held(0)
            effects.append(.offered(id))
        case .held(let last):
            if frame.isClosed {
                end(waiter, with: .ended(id), into: &effects)
            } else if frame.sequence > last {
                // To drop it would be to lose it, to keep it would be to keep any number.
                close(1002, "an element that nobody asked for", into: &effects)
            }
        case .awaiting(let last):
            if frame.isClosed {
                end(waiter, with: .ended(id), into: &effects)
            } else if frame.sequence > last || (last == .max && frame.sequence > 0) {
                waiters[id]?.stage = .held(frame.sequence)
                effects.append(.element(id, frame.payload))
            }
        }
    }

    mutating func askElement(of id: WaiterID, into effects: inout [Effect]) {
        guard let waiter = waiters[id] else { return }
        guard case .held(let last) = waiter.stage else { preconditionFailure("asked out of turn: \(waiter)") }
        waiters[id]?.stage = .awaiting(after: last)
        let ack = StreamFrame(.ack, port: waiter.port, sequence: last, isAck: true)
        send(waiter.number, .stream(ack), into: &effects)
    }

    /// In the kind that every server understands, in the place of the ack where one is due.
    mutating func closeStream(of waiter: Waiter, _ sequence: UInt32, into effects: inout [Effect]) {
        let close = StreamFrame(.ack, port: waiter.port, sequence: sequence, isClosed: true)
        send(waiter.number, .stream(close), into: &effects)
        closedStreams.remember(waiter.number)
    }

    // MARK: What the client produces

    private mutating func takeConsumers(_ frame: StreamFrame, of waiter: Waiter, into effects: inout [Effect]) {
        guard waiter.argument != .ended else { return }
        if frame.isClosed {
            waiters[waiter.id]?.argument = .ended
            effects.append(.endArgument(waiter.id))
            return
        }
        guard frame.isAck else { return }
        switch waiter.argument {
        case .offered where frame.sequence == 0, .awaitingAck(frame.sequence):
            waiters[waiter.id]?.argument = .awaitingElement(after: frame.sequence)
            effects.append(.pullArgument(waiter.id))
        case .offered, .awaitingAck, .awaitingElement, .ended: break
        }
    }

    mutating func send(argument payload: Data, of id: WaiterID, into effects: inout [Effect]) {
        guard let waiter = waiters[id], waiter.argument != .ended else { return }
        guard case .awaitingElement(let last) = waiter.argument else {
            preconditionFailure("an element that nobody asked for: \(waiter)")
        }
        guard payload.count + 64 <= configuration.frameBytesLimit else {
            giveUp(id, into: &effects)
            return effects.append(.failed(id, .tooLong))
        }
        let sequence = last == .max ? 1 : last + 1
        waiters[id]?.argument = .awaitingAck(sequence)
        let frame = StreamFrame(.message, port: waiter.port, sequence: sequence, payload: payload)
        send(waiter.argumentNumber, .stream(frame), into: &effects)
    }

    mutating func endArgument(of id: WaiterID, into effects: inout [Effect]) {
        guard let waiter = waiters[id], waiter.argument != .ended else { return }
        closeArgument(of: waiter, into: &effects)
        waiters[id]?.argument = .ended
    }

    /// A stream that the server never asked for needs no close.
    func closeArgument(of waiter: Waiter, into effects: inout [Effect]) {
        let last: UInt32
        switch waiter.argument {
        case .awaitingElement(let sequence), .awaitingAck(let sequence): last = sequence
        case .offered, .ended: return
        }
        let close = StreamFrame(.message, port: waiter.port, sequence: last, isClosed: true)
        send(waiter.argumentNumber, .stream(close), into: &effects)
    }
}
