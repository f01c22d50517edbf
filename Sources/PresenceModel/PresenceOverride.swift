/// A state that the user insists on, over all that devices say and later choices, until it is taken away or its time is
/// up. MSC4043 (`support.feline.msc4043.v1`), with a text and a time limit added.
///
/// Idleness does not weaken it. It makes nobody connected: without a device the user is offline all the same.
public struct PresenceOverride: Hashable, Sendable {
    /// What becomes of the status text meanwhile.
    public enum Text: Hashable, Sendable {
        /// The text of the choice beneath.
        case asChosen
        /// Another one, ``StatusText``; `nil` for none.
        case replaced(String?)
    }

    /// Goes before the chosen state.
    public var state: ChosenState
    /// See ``Text``.
    public var text: Text
    /// Gone at this instant; `nil`: it stays.
    public var until: Instant?

    /// An override as given; the text's length is not checked here.
    public init(state: ChosenState, text: Text = .asChosen, until: Instant? = nil) {
        self.state = state
        self.text = text
        self.until = until
    }
}
