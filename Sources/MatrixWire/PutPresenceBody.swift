import PresenceModel

/// The body of `PUT /_matrix/client/v3/presence/{userId}/status`:
/// `{"presence":…,"status_msg"?:…,"org.presenced.state"?:…}`. The last goes before `presence`, and may be any
/// ``PresenceModel/ChosenState``; `presence`, for those who know nothing of it, must be a legal value all the same.
///
/// Refusals, their words and their order are Synapse's: first `presence` must be there, then `status_msg` be a
/// string, then nothing else be there, then the state be a known one. The limit of the text and the key of our own are
/// looked at after these.
/// Spec: client-server API, presence.
public struct PutPresenceBody: Hashable, Sendable {
    /// What the user picked.
    public var state: ChosenState
    /// Within the limit of ``PresenceModel/StatusText``; `nil` if absent or empty, which clears the text.
    public var statusText: String?

    /// A state and a text.
    public init(state: ChosenState, statusText: String?) {
        self.state = state
        self.statusText = statusText
    }

    /// - Parameter allowsBusy: whether `org.matrix.msc3026.busy` is a state (MSC3026).
    /// - Throws: what to answer: 400, or 413 for a text over the limit.
    public static func decode(_ body: [UInt8], allowsBusy: Bool) throws(MatrixErrorBody) -> PutPresenceBody {
        let parsed: ParsedJSON
        do throws(JSONError) {
            parsed = try JSONParser.lenient.parse(body)
        } catch {
            throw .contentNotJSON
        }
        guard let content = parsed.value.object else { throw .contentNotAnObject }
        guard let presence = content["presence"] else { throw unparsable }
        let text = content["status_msg"]
        if let text, text.string == nil { throw MatrixErrorBody(.unknown, "status_msg must be a string.") }
        let refined = content[ExtensionKey.state]
        guard content.count == 1 + (text == nil ? 0 : 1) + (refined == nil ? 0 : 1) else { throw unparsable }
        guard var state = presence.string.flatMap({ state(of: $0, allowsBusy: allowsBusy) }) else {
            throw MatrixErrorBody(.unknown, "Invalid presence state")
        }
        if let refined {
            guard let chosen = refined.string.flatMap(ChosenState.init(rawValue:)) else { throw notAState }
            state = chosen
        }
        let statusText = text?.string.flatMap { $0.isEmpty ? nil : $0 }
        guard (statusText?.utf8.count ?? 0) <= StatusText.limitBytes else { throw textTooLong }
        return PutPresenceBody(state: state, statusText: statusText)
    }

    private static let unparsable = MatrixErrorBody(.unknown, "Unable to parse state")

    private static let notAState = MatrixErrorBody(
        .invalidParameter,
        "\(ExtensionKey.state) must be one of \(ChosenState.allCases.map(\.rawValue).joined(separator: ", ")).")

    private static let textTooLong = MatrixErrorBody(
        .tooLarge, "status_msg must not be longer than \(StatusText.limitBytes) bytes.")

    private static func state(of word: String, allowsBusy: Bool) -> ChosenState? {
        switch word {
        case "online": .online
        case "unavailable": .unavailable
        case "offline": .offline
        case BusyValue.msc3026.rawValue: allowsBusy ? .busy : nil
        default: nil
        }
    }
}
