import struct FoundationEssentials.Data

/// Calls: from REQUEST to the one answer. dcl-rpc: unary calls, errors.
extension RPCServerConnection {
    struct Request {
        var number: MessageNumber
        var port: UInt32
        var procedure: UInt32
        var clientStream: UInt32
        var payload: Data

        var argumentNumber: MessageNumber { MessageNumber(clientStream) }
    }

    mutating func take(_ request: Request, into effects: inout [Effect]) {
        // Two calls of one number could not be told apart, so neither could be answered.
        guard !isInUse(request.number) else {
            return close(1002, "a message number is in use", into: &effects)
        }
        if request.clientStream != 0 {
            let argument = request.argumentNumber
            guard argument.value == request.clientStream, argument != request.number, !isInUse(argument) else {
                return close(1002, "the number of a stream is in use, or no number", into: &effects)
            }
        }
        guard let port = ports[request.port] else { return refuse(request, "invalid portId", into: &effects) }
        guard let place = place(of: request.procedure, on: port) else {
            let message = "procedureId \(request.procedure) is missing in \(port.name) (\(request.port)))"
            return refuse(request, message, into: &effects)
        }
        let procedure = modules[place.module].procedures[place.procedure]
        guard procedure.kind.takesStream == (request.clientStream != 0) else {
            let message = "Procedure \(procedure.name) takes \(procedure.kind.takesStream ? "a" : "no") stream"
            return refuse(request, message, into: &effects)
        }
        guard unfinished.count < configuration.callsLimit else {
            return refuse(
                request,
                "\(RPCServerConnection.tooManyCalls): \(configuration.callsLimit) are under way on this connection",
                into: &effects)
        }
        guard !procedure.kind.givesStream || unfinishedStreams < configuration.streamsLimit else {
            return refuse(
                request,
                "\(RPCServerConnection.tooManyStreams): \(configuration.streamsLimit) are open on this connection",
                into: &effects)
        }
        let order = Order(
            module: place.module, procedure: place.procedure, port: request.port, payload: request.payload)
        start(request, procedure.kind, order, into: &effects)
    }

    /// How the refusal of a call begins that is one too many of the connection; nothing was done.
    public static let tooManyCalls = "Too many calls at once"
    /// The same of a stream.
    public static let tooManyStreams = "Too many streams at once"

    private mutating func start(
        _ request: Request, _ kind: ProcedureKind, _ order: Order, into effects: inout [Effect]
    ) {
        lastSerial += 1
        let id = CallID(number: request.number, serial: lastSerial)
        var call = Call(id: id, port: request.port, kind: kind)
        if kind.takesStream {
            call.argumentNumber = request.argumentNumber
            call.argument = .offered
            arguments[call.argumentNumber] = request.number
            _ = closedArguments.forget(call.argumentNumber)
        }
        calls[request.number] = call
        unfinished[id] = kind
        if kind.givesStream { unfinishedStreams += 1 }
        effects.append(.start(id, order))
    }

    private func isInUse(_ number: MessageNumber) -> Bool { calls[number] != nil || arguments[number] != nil }

    /// A stream that was offered as the argument of what is not run is closed, so that its source can end.
    private func refuse(_ request: Request, _ message: String, into effects: inout [Effect]) {
        refuse(request.number, message, into: &effects)
        guard request.clientStream != 0 else { return }
        send(
            request.argumentNumber, .stream(StreamFrame(.message, port: request.port, sequence: 0, isClosed: true)),
            into: &effects)
    }

    /// The call of `id`, unless it has been answered or given up.
    func call(_ id: CallID) -> Call? {
        guard let call = calls[id.number], call.id == id else { return nil }
        return call
    }

    mutating func answer(_ id: CallID, _ payload: Data, into effects: inout [Effect]) {
        guard let call = call(id) else { return }
        precondition(!call.kind.givesStream, "an answer where a stream is due: \(call)")
        guard fits(payload) else { return fail(id, 0, "The answer is too long", into: &effects) }
        end(call, with: .response(payload: payload), into: &effects)
    }

    mutating func fail(_ id: CallID, _ code: UInt32, _ message: String, into effects: inout [Effect]) {
        guard let call = call(id) else { return }
        let text = message.isEmpty ? "Error processing the request" : message
        end(call, with: .remoteError(code: code, message: text), into: &effects)
    }

    /// With the rest of the frame, whose fields take some thirty bytes.
    func fits(_ payload: Data) -> Bool { payload.count + 64 <= configuration.frameBytesLimit }

    /// Forgets the call. - Parameter last: its last word; `nil` if the consumer wants none.
    mutating func end(_ call: Call, with last: RPCMessage.Body?, into effects: inout [Effect]) {
        calls[call.id.number] = nil
        if let last { send(call.id.number, last, into: &effects) }
        guard call.kind.takesStream else { return }
        closeArgument(of: call, into: &effects)
        arguments[call.argumentNumber] = nil
    }
}
