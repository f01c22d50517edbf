import PresenceModel

/// The body of `PUT …/support.feline.msc4043.v1/presence/{userId}/override`:
/// `{"presence_override":…,"status_msg"?:…,"org.presenced.timeout_ms"?:…}`.
///
/// `presence_override` is any ``PresenceModel/ChosenState`` or `org.matrix.msc3026.busy`; an empty one ends the
/// override. Without `status_msg` the text stays as chosen, an empty one is none. MSC4043; text and time are ours.
public struct PresenceOverrideBody: Hashable, Sendable {
    /// The longest time that an override can be limited to: 365 days.
    public static let timeoutLimitMilliseconds: Int64 = 365 * 24 * 3_600_000

    /// What the user insists on; `nil` ends the override.
    public var state: ChosenState?
    /// What becomes of the text meanwhile, within the limit of ``PresenceModel/StatusText``.
    public var text: PresenceOverride.Text
    /// 1 or more; `nil`: it stays.
    public var timeoutMilliseconds: Int64?

    /// An override as given.
    public init(
        state: ChosenState?, text: PresenceOverride.Text = .asChosen, timeoutMilliseconds: Int64? = nil
    ) {
        self.state = state
        self.text = text
        self.timeoutMilliseconds = timeoutMilliseconds
    }

    /// - Parameter allowsBusy: whether `org.matrix.msc3026.busy` is a state.
    /// - Throws: what to answer: 400, or 413 for a text over the limit.
    public static func decode(_ bytes: [UInt8], allowsBusy: Bool) throws(MatrixErrorBody) -> PresenceOverrideBody {
        let body = try ClientBody(bytes, keys: ["presence_override", "status_msg", "org.presenced.timeout_ms"])
        guard let word = try body.string("presence_override") else {
            throw MatrixErrorBody(.missingParameter, "presence_override is missing; an empty one ends the override.")
        }
        var state = ChosenState(rawValue: word)
        if word == BusyValue.msc3026.rawValue, allowsBusy { state = .busy }
        guard state != nil || word.isEmpty else {
            let words = ChosenState.allCases.map(\.rawValue).joined(separator: ", ")
            throw MatrixErrorBody(.invalidParameter, "presence_override must be empty or one of \(words).")
        }
        let text = try body.text("status_msg", limitBytes: StatusText.limitBytes)
        let timeout = try body.integer("org.presenced.timeout_ms", in: 1...timeoutLimitMilliseconds)
        return PresenceOverrideBody(
            state: state, text: body.has("status_msg") ? .replaced(text) : .asChosen, timeoutMilliseconds: timeout)
    }

    /// The override that begins at `now`; `nil` where the body ends one.
    public func override(from now: Instant) -> PresenceOverride? {
        guard let state else { return nil }
        return PresenceOverride(
            state: state, text: text, until: timeoutMilliseconds.map { now.advanced(byMilliseconds: $0) })
    }

    /// The answer to `GET`: `{"presence_override":…,"status_msg"?:…,"org.presenced.until_ts"?:…}`, an empty
    /// `presence_override` for none.
    public static func encode(_ override: PresenceOverride?) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("presence_override")
        writer.string(override?.state.rawValue ?? "")
        if case .replaced(let text) = override?.text {
            writer.key("status_msg")
            writer.string(text ?? "")
        }
        if let until = override?.until {
            writer.key("org.presenced.until_ts")
            writer.integer(until.millisecondsSinceEpoch)
        }
        writer.endObject()
        return writer.bytes
    }
}
