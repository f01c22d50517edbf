import struct FoundationEssentials.Data

/// Calls and their answers. dcl-rpc: unary calls, errors.
extension RPCClientConnection {
    mutating func call(_ id: WaiterID, _ wanted: Call, into effects: inout [Effect]) {
        guard wanted.payload.count + 64 <= configuration.frameBytesLimit else {
            return effects.append(.failed(id, .tooLong))
        }
        guard waiters.count < configuration.waitersLimit else { return effects.append(.failed(id, .tooMany)) }
        // The argument's number is taken just before the call's, as the reference implementation has it.
        let argument = wanted.kind.takesStream ? takeNumber() : .none
        if wanted.kind.takesStream { numbers[argument] = id }
        guard let number = wait(id, .answer, into: &effects) else { return }
        waiters[id]?.port = wanted.port
        waiters[id]?.kind = wanted.kind
        if wanted.kind.takesStream {
            waiters[id]?.argumentNumber = argument
            waiters[id]?.argument = .offered
        }
        let body = RPCMessage.Body.request(
            port: wanted.port, procedure: wanted.procedure, clientStream: argument.value,
            payload: wanted.kind.takesStream ? Data() : wanted.payload)
        send(number, body, into: &effects)
    }

    mutating func takeAnswer(_ message: RPCMessage, into effects: inout [Effect]) {
        guard let id = numbers[message.number], let waiter = waiters[id], waiter.number == message.number else {
            // The answer to what was given up; a port that nobody will use is taken back.
            if closedStreams.forget(message.number), case .portCreated(let port) = message.body {
                send(.none, .destroyPort(port: port), into: &effects)
            }
            return
        }
        switch (waiter.stage, message.body) {
        case (_, .remoteError(let code, let text)):
            end(waiter, with: .failed(id, .remote(code: code, message: text)), into: &effects)
        case (.port, .portCreated(let port)): end(waiter, with: .portCreated(id, port), into: &effects)
        case (.module, .moduleLoaded(_, let procedures)):
            end(waiter, with: .moduleLoaded(id, procedures), into: &effects)
        case (.answer, .response(let payload)) where !waiter.kind.givesStream:
            end(waiter, with: .answered(id, payload), into: &effects)
        default: end(waiter, with: .failed(id, .unexpectedAnswer), into: &effects)
        }
    }

    /// Forgets the waiter, whose argument nobody wants any more.
    mutating func end(_ waiter: Waiter, with outcome: Effect?, into effects: inout [Effect]) {
        waiters[waiter.id] = nil
        numbers[waiter.number] = nil
        if waiter.kind.takesStream {
            numbers[waiter.argumentNumber] = nil
            if waiter.argument != .ended { effects.append(.endArgument(waiter.id)) }
            closeArgument(of: waiter, into: &effects)
        }
        if let outcome { effects.append(outcome) }
    }

    /// A call of one result cannot be taken back: its answer is dropped when it comes. An argument is not closed, or
    /// the server would take half of it for the whole.
    mutating func giveUp(_ id: WaiterID, into effects: inout [Effect]) {
        guard var waiter = waiters[id] else { return }
        if waiter.argument != .ended { effects.append(.endArgument(id)) }
        waiter.argument = .ended
        switch waiter.stage {
        case .held(let sequence), .awaiting(let sequence): closeStream(of: waiter, sequence, into: &effects)
        case .port, .module, .answer: closedStreams.remember(waiter.number)
        }
        end(waiter, with: nil, into: &effects)
    }
}
