import struct FoundationEssentials.Data

/// Streams in both directions. dcl-rpc: server streams, client streams.
extension RPCServerConnection {
    /// Goes by number and flags: clients send acks and closes in either kind of frame, and any port id.
    mutating func take(_ frame: StreamFrame, _ number: MessageNumber, into effects: inout [Effect]) {
        if let call = calls[number] {
            guard call.kind.givesStream else { return }
            takeConsumers(frame, of: call, into: &effects)
        } else if let caller = arguments[number], let call = calls[caller] {
            takeProducers(frame, of: call, into: &effects)
        } else if !frame.isAck, closedArguments.forget(number), !frame.isClosed {
            let close = StreamFrame(.message, port: frame.port, sequence: frame.sequence, isClosed: true)
            send(number, .stream(close), into: &effects)
        }
    }

    // MARK: What the server produces

    private mutating func takeConsumers(_ frame: StreamFrame, of call: Call, into effects: inout [Effect]) {
        if frame.isClosed {
            effects.append(.cancel(call.id))
            end(call, with: nil, into: &effects)
        } else if frame.isAck, call.stage == .awaitingAck(frame.sequence) {
            calls[call.id.number]?.stage = .awaitingElement(after: frame.sequence)
            effects.append(.pull(call.id))
        }
    }

    mutating func offer(_ id: CallID, into effects: inout [Effect]) {
        guard let call = call(id) else { return }
        precondition(call.kind.givesStream && call.stage == .running, "an offer out of turn: \(call)")
        calls[id.number]?.stage = .awaitingAck(0)
        send(id.number, .stream(StreamFrame(.message, port: call.port, sequence: 0)), into: &effects)
    }

    mutating func send(element payload: Data, of id: CallID, into effects: inout [Effect]) {
        guard let call = call(id) else { return }
        guard case .awaitingElement(let last) = call.stage else {
            preconditionFailure("an element that nobody asked for: \(call)")
        }
        guard fits(payload) else {
            effects.append(.cancel(id))
            return fail(id, 0, "An element is too long", into: &effects)
        }
        // After 2^32 elements the count begins anew; 0 is the offer's alone.
        let sequence = last == .max ? 1 : last + 1
        calls[id.number]?.stage = .awaitingAck(sequence)
        let frame = StreamFrame(.message, port: call.port, sequence: sequence, payload: payload)
        send(id.number, .stream(frame), into: &effects)
    }

    mutating func endStream(_ id: CallID, into effects: inout [Effect]) {
        guard let call = call(id) else { return }
        guard case .awaitingElement(let last) = call.stage else {
            preconditionFailure("an end that nobody asked for: \(call)")
        }
        end(
            call, with: .stream(StreamFrame(.message, port: call.port, sequence: last, isClosed: true)),
            into: &effects)
    }

    // MARK: What the server consumes

    mutating func askArgument(of id: CallID, into effects: inout [Effect]) {
        guard let call = call(id) else { return }
        let last: UInt32
        switch call.argument {
        case .offered: last = 0
        case .held(let sequence): last = sequence
        // Whoever asked gave up waiting, and came back.
        case .awaiting: return
        case .ended: return effects.append(.endArgument(id))
        }
        calls[id.number]?.argument = .awaiting(after: last)
        let ack = StreamFrame(.ack, port: call.port, sequence: last, isAck: true)
        send(call.argumentNumber, .stream(ack), into: &effects)
    }

    private mutating func takeProducers(_ frame: StreamFrame, of call: Call, into effects: inout [Effect]) {
        let number = call.id.number
        if frame.isClosed {
            if case .awaiting = call.argument { effects.append(.endArgument(call.id)) }
            if case .ended = call.argument { _ = closedArguments.forget(call.argumentNumber) }
            calls[number]?.argument = .ended
            return
        }
        guard !frame.isAck else { return }
        switch call.argument {
        case .awaiting(let last):
            guard frame.sequence > last else { return }
            calls[number]?.argument = .held(frame.sequence)
            effects.append(.deliver(call.id, frame.payload))
        case .held(let last):
            guard frame.sequence > last else { return }
            // To drop it would be to lose it, to keep it would be to keep any number.
            close(1002, "an element that nobody asked for", into: &effects)
        case .offered: close(1002, "an element that nobody asked for", into: &effects)
        case .ended:
            guard closedArguments.forget(call.argumentNumber) else { return }
            let close = StreamFrame(.message, port: frame.port, sequence: frame.sequence, isClosed: true)
            send(call.argumentNumber, .stream(close), into: &effects)
        }
    }

    /// A stream that was never opened stays offered: it is closed behind the answer.
    mutating func dropArgument(of id: CallID, into effects: inout [Effect]) {
        guard let call = call(id), call.argument != .offered else { return }
        closeArgument(of: call, into: &effects)
        calls[id.number]?.argument = .ended
    }

    mutating func closeArgument(of call: Call, into effects: inout [Effect]) {
        let last: UInt32
        switch call.argument {
        case .offered: last = 0
        case .held(let sequence): last = sequence
        case .awaiting(let sequence):
            last = sequence
            closedArguments.remember(call.argumentNumber)
        case .ended: return
        }
        let close = StreamFrame(.message, port: call.port, sequence: last, isClosed: true)
        send(call.argumentNumber, .stream(close), into: &effects)
    }
}
