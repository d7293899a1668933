//! Modules that PyTorch does not have, in Python: written out where a network needs them.

/// A class of the exported file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Helper {
    Group,
    WeightNormConv1d,
    WeightNormConv2d,
    UnbiasedNorm,
    ReverseLstm,
    InputCellLstm,
    AttentionReadout,
    PositionalEncoding,
    SeparateAttention,
}

impl Helper {
    /// Its definition.
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::Group => super::modules::GROUP,
            Self::WeightNormConv1d => WEIGHT_NORM_CONV1D,
            Self::WeightNormConv2d => WEIGHT_NORM_CONV2D,
            Self::UnbiasedNorm => UNBIASED_NORM,
            Self::ReverseLstm => REVERSE_LSTM,
            Self::InputCellLstm => INPUT_CELL_LSTM,
            Self::AttentionReadout => ATTENTION_READOUT,
            Self::PositionalEncoding => POSITIONAL_ENCODING,
            Self::SeparateAttention => SEPARATE_ATTENTION,
        }
    }
}

const WEIGHT_NORM_CONV1D: &str = r#"class WeightNormConv1d(nn.Conv1d):
    """The weight is weight_g * weight_v / |weight_v| in every output channel."""

    def __init__(self, *arguments, **keywords):
        super().__init__(*arguments, **keywords)
        weight = self.weight.detach()
        del self.weight
        self.weight_g = nn.Parameter(torch.linalg.vector_norm(weight, dim=(1, 2), keepdim=True))
        self.weight_v = nn.Parameter(weight)

    def forward(self, x):
        norm = torch.linalg.vector_norm(self.weight_v, dim=(1, 2), keepdim=True)
        weight = self.weight_g * self.weight_v / norm
        sizes = self.stride, self.padding, self.dilation, self.groups
        return F.conv1d(x, weight, self.bias, *sizes)
"#;

const WEIGHT_NORM_CONV2D: &str = r#"class WeightNormConv2d(nn.Conv2d):
    """The weight is weight_g * weight_v / |weight_v| in every output channel."""

    def __init__(self, *arguments, **keywords):
        super().__init__(*arguments, **keywords)
        weight = self.weight.detach()
        del self.weight
        self.weight_g = nn.Parameter(torch.linalg.vector_norm(weight, dim=(1, 2, 3), keepdim=True))
        self.weight_v = nn.Parameter(weight)

    def forward(self, x):
        norm = torch.linalg.vector_norm(self.weight_v, dim=(1, 2, 3), keepdim=True)
        weight = self.weight_g * self.weight_v / norm
        sizes = self.stride, self.padding, self.dilation, self.groups
        return F.conv2d(x, weight, self.bias, *sizes)
"#;

const UNBIASED_NORM: &str = r#"class UnbiasedNorm(nn.Module):
    """alpha * (x - mean) / (std + 1e-6) + bias over the last axis, std divided by n - 1."""

    def __init__(self, channels):
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x):
        mean = x.mean(dim=-1, keepdim=True)
        std = x.std(dim=-1, keepdim=True)
        return self.alpha * (x - mean) / (std + 1e-6) + self.bias
"#;

const REVERSE_LSTM: &str = r#"class ReverseLSTM(nn.Module):
    """An LSTM from the last (real) step to the first; gives the states of all steps."""

    def __init__(self, inputs, hidden, layers=1):
        super().__init__()
        self.hidden, self.layers = hidden, layers
        for layer in range(layers):
            shapes = {
                "weight_ih": (4 * hidden, hidden if layer else inputs),
                "weight_hh": (4 * hidden, hidden),
                "bias_ih": (4 * hidden,),
                "bias_hh": (4 * hidden,),
            }
            for name, shape in shapes.items():
                weight = torch.empty(shape).uniform_(-(hidden**-0.5), hidden**-0.5)
                self.register_parameter(f"{name}_l{layer}_reverse", nn.Parameter(weight))

    def weights(self):
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        layers = range(self.layers)
        return [getattr(self, f"{name}_l{layer}_reverse") for layer in layers for name in names]

    def forward(self, x, lengths=None):
        start = x.new_zeros(self.layers, len(x), self.hidden)
        x = self.turned(x, lengths)
        x, _, _ = torch.lstm(
            x, (start, start), self.weights(), True, self.layers, 0.0, self.training, False, True
        )
        return self.turned(x, lengths)

    @staticmethod
    def turned(x, lengths):
        """The real steps in the opposite order, the padding in its place."""
        if lengths is None:
            return x.flip(1)
        steps = torch.arange(x.shape[1], device=x.device)
        turned = lengths[:, None] - 1 - steps
        places = torch.where(turned < 0, steps, turned)
        return x.gather(1, places[:, :, None].expand_as(x))
"#;

const INPUT_CELL_LSTM: &str = r#"class InputCellLSTM(nn.Module):
    """An LSTM that reads at every step a mean of the steps so far, by attention in several hops."""

    def __init__(self, inputs, hidden, hops, attention_width):
        super().__init__()
        self.hidden = hidden
        self.weight_iBarh = nn.Parameter(torch.empty(inputs, 4 * hidden))
        self.weight_hh = nn.Parameter(torch.empty(hidden, 4 * hidden))
        self.bias = nn.Parameter(torch.empty(4 * hidden))
        self.linear_first = nn.Linear(inputs, attention_width)
        self.linear_second = nn.Linear(attention_width, hops)
        for weight in self.parameters():
            if weight.dim() == 2:
                nn.init.xavier_uniform_(weight)
            else:
                nn.init.zeros_(weight)

    def forward(self, x):
        batch, steps, _ = x.shape
        scores = self.linear_second(torch.tanh(self.linear_first(x)))  # [batch, steps, hops]
        later = torch.ones(steps, steps, dtype=torch.bool, device=x.device).triu(1)
        scores = scores[:, None].expand(-1, steps, -1, -1)  # [batch, step, step it sees, hops]
        scores = scores.masked_fill(later[:, :, None], -torch.inf)
        attention = scores.softmax(dim=2).mean(dim=3)
        inputs = (attention @ x) @ self.weight_iBarh + self.bias
        h = c = x.new_zeros(batch, self.hidden)
        states = []
        for t in range(steps):
            i, f, g, o = (inputs[:, t] + h @ self.weight_hh).chunk(4, dim=1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
            states.append(h)
        return torch.stack(states, dim=1)
"#;

const ATTENTION_READOUT: &str = r#"class AttentionReadout(nn.Module):
    """sum over t of softmax_t(query . tanh(weight h_t + bias)) h_t, over the real steps."""

    def __init__(self, width):
        super().__init__()
        bound = width**-0.5
        self.weight = nn.Parameter(torch.empty(width, width).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(width).uniform_(-bound, bound))
        self.query = nn.Parameter(torch.empty(width).uniform_(-bound, bound))

    def forward(self, h, padding=None):
        scores = torch.tanh(F.linear(h, self.weight, self.bias)) @ self.query  # [batch, steps]
        if padding is not None:
            scores = scores.masked_fill(padding, -torch.inf)
        return (scores.softmax(dim=1)[:, :, None] * h).sum(dim=1)
"#;

const POSITIONAL_ENCODING: &str = r#"class PositionalEncoding(nn.Module):
    """Adds a table of sines and cosines to x, multiplied by sqrt(channels) first where it scales.

    With even i: sin(t / 10000^(i / d)) and the cosine of the same; in the published form
    sin(t / 10000^(2 i / d)) and cos(t / 10000^(2 (i + 1) / d)).
    """

    def __init__(self, steps, channels, scale=False, published=False):
        super().__init__()
        self.factor = math.sqrt(channels) if scale else 1.0
        t = torch.arange(steps, dtype=torch.float64)[:, None]
        i = torch.arange(0, channels, 2, dtype=torch.float64)
        sine, cosine = (2 * i, 2 * (i + 1)) if published else (i, i)
        table = torch.empty(steps, channels, dtype=torch.float64)
        table[:, 0::2] = torch.sin(t / 10000 ** (sine / channels))
        table[:, 1::2] = torch.cos(t / 10000 ** (cosine / channels))[:, : channels // 2]
        self.register_buffer("table", table.float(), persistent=False)

    def forward(self, x):
        return x * self.factor + self.table
"#;

const SEPARATE_ATTENTION: &str = r#"class SeparateAttention(nn.Module):
    """Self-attention in several heads, with a linear layer each for queries, keys and values."""

    def __init__(self, channels, heads, causal=False, dropout=0.0):
        super().__init__()
        self.heads, self.causal, self.dropout = heads, causal, dropout
        self.q_linear = nn.Linear(channels, channels)
        self.k_linear = nn.Linear(channels, channels)
        self.v_linear = nn.Linear(channels, channels)
        self.out = nn.Linear(channels, channels)

    def forward(self, x, padding=None):
        q, k, v = (
            linear(x).unflatten(2, (self.heads, -1)).transpose(1, 2)
            for linear in (self.q_linear, self.k_linear, self.v_linear)
        )
        scores = q @ k.transpose(2, 3) / math.sqrt(q.shape[3])  # [batch, heads, steps, steps]
        if self.causal:
            later = torch.ones_like(scores[0, 0], dtype=torch.bool).triu(1)
            scores = scores.masked_fill(later, -torch.inf)
        if padding is not None:
            scores = scores.masked_fill(padding[:, None, None], -torch.inf)
        weights = F.dropout(scores.softmax(dim=3), self.dropout, self.training)
        return self.out((weights @ v).transpose(1, 2).flatten(2))
"#;
