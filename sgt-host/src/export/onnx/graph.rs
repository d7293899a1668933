//! A graph of ONNX: nodes in their order, tensors with values, one encoding.

use crate::protobuf::Message;

/// What a node is told beside its inputs.
#[derive(Clone, Debug)]
pub(super) enum Attribute {
    Int(&'static str, i64),
    Ints(&'static str, Vec<i64>),
    Float(&'static str, f32),
    Text(&'static str, &'static str),
}

/// The element type of a tensor, as ONNX numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    Float = 1,
    Int32 = 6,
    Int64 = 7,
    Double = 11,
}

/// An axis of an input or output: a size, or a name where it is free.
#[derive(Clone, Copy, Debug)]
pub(super) enum Axis {
    Free(&'static str),
    Size(usize),
}

/// Nodes and tensors, encoded as they come.
#[derive(Debug, Default)]
pub(super) struct Graph {
    nodes: Vec<Message>,
    tensors: Vec<Message>,
    inputs: Vec<Message>,
    outputs: Vec<Message>,
    values: usize,
}

/// Field numbers of the messages in `onnx.proto3`.
mod field {
    pub(super) mod model {
        pub(in super::super) const IR_VERSION: u8 = 1;
        pub(in super::super) const PRODUCER: u8 = 2;
        pub(in super::super) const PRODUCER_VERSION: u8 = 3;
        pub(in super::super) const GRAPH: u8 = 7;
        pub(in super::super) const OPERATORS: u8 = 8;
        pub(in super::super) const METADATA: u8 = 14;
    }
    pub(super) mod operators {
        pub(in super::super) const VERSION: u8 = 2;
    }
    pub(super) mod entry {
        pub(in super::super) const KEY: u8 = 1;
        pub(in super::super) const VALUE: u8 = 2;
    }
    pub(super) mod graph {
        pub(in super::super) const NODE: u8 = 1;
        pub(in super::super) const NAME: u8 = 2;
        pub(in super::super) const TENSOR: u8 = 5;
        pub(in super::super) const INPUT: u8 = 11;
        pub(in super::super) const OUTPUT: u8 = 12;
    }
    pub(super) mod node {
        pub(in super::super) const INPUT: u8 = 1;
        pub(in super::super) const OUTPUT: u8 = 2;
        pub(in super::super) const NAME: u8 = 3;
        pub(in super::super) const OPERATOR: u8 = 4;
        pub(in super::super) const ATTRIBUTE: u8 = 5;
    }
    pub(super) mod attribute {
        pub(in super::super) const NAME: u8 = 1;
        pub(in super::super) const FLOAT: u8 = 2;
        pub(in super::super) const INT: u8 = 3;
        pub(in super::super) const TEXT: u8 = 4;
        pub(in super::super) const INTS: u8 = 8;
        pub(in super::super) const KIND: u8 = 20;
    }
    pub(super) mod tensor {
        pub(in super::super) const DIMENSION: u8 = 1;
        pub(in super::super) const ELEMENT: u8 = 2;
        pub(in super::super) const NAME: u8 = 8;
        pub(in super::super) const BYTES: u8 = 9;
    }
    pub(super) mod value {
        pub(in super::super) const NAME: u8 = 1;
        pub(in super::super) const TYPE: u8 = 2;
        pub(in super::super) const TENSOR: u8 = 1;
        pub(in super::super) const ELEMENT: u8 = 1;
        pub(in super::super) const SHAPE: u8 = 2;
        pub(in super::super) const DIMENSION: u8 = 1;
        pub(in super::super) const SIZE: u8 = 1;
        pub(in super::super) const FREE: u8 = 2;
    }
}

/// The kinds of attributes, as ONNX numbers them.
mod kind {
    pub(super) const FLOAT: i64 = 1;
    pub(super) const INT: i64 = 2;
    pub(super) const TEXT: i64 = 3;
    pub(super) const INTS: i64 = 7;
}

/// The version of the file format, and of the operators: every runtime since 2022 reads them.
const IR_VERSION: i64 = 8;
const OPERATORS: i64 = 17;

/// A size as ONNX counts.
pub(super) fn size(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

impl Graph {
    /// An input of the graph.
    pub(super) fn input(&mut self, name: &str, element: Element, axes: &[Axis]) {
        self.inputs.push(described(name, element, axes));
    }

    /// An output of the graph, which some node gave.
    pub(super) fn output(&mut self, name: &str, axes: &[Axis]) {
        self.outputs.push(described(name, Element::Float, axes));
    }

    fn fresh(&mut self, stem: &str) -> String {
        self.values += 1;
        format!("{stem}_{}", self.values)
    }

    /// The output of a new node.
    pub(super) fn node(
        &mut self,
        operator: &str,
        inputs: &[&str],
        attributes: &[Attribute],
    ) -> String {
        let name = self.fresh(operator);
        self.push(operator, inputs, &[&name], attributes);
        name
    }

    /// The first two outputs of a new node.
    pub(super) fn node_of_two(
        &mut self,
        operator: &str,
        inputs: &[&str],
        attributes: &[Attribute],
    ) -> [String; 2] {
        let names = [self.fresh(operator), self.fresh(operator)];
        self.push(operator, inputs, &[&names[0], &names[1]], attributes);
        names
    }

    /// A new node whose output is called `output`.
    pub(super) fn push(
        &mut self,
        operator: &str,
        inputs: &[&str],
        outputs: &[&str],
        attributes: &[Attribute],
    ) {
        use field::{attribute, node};
        let mut message = Message::new();
        for input in inputs {
            message.text(node::INPUT, input);
        }
        for output in outputs {
            message.text(node::OUTPUT, output);
        }
        if let Some(output) = outputs.first() {
            message.text(node::NAME, output);
        }
        message.text(node::OPERATOR, operator);
        for own in attributes {
            let mut encoded = Message::new();
            let (name, kind) = match own {
                Attribute::Int(name, _) => (name, kind::INT),
                Attribute::Ints(name, _) => (name, kind::INTS),
                Attribute::Float(name, _) => (name, kind::FLOAT),
                Attribute::Text(name, _) => (name, kind::TEXT),
            };
            encoded.text(attribute::NAME, name);
            match own {
                Attribute::Int(_, value) => encoded.int(attribute::INT, *value),
                Attribute::Ints(_, values) => {
                    for &value in values {
                        encoded.int(attribute::INTS, value);
                    }
                }
                Attribute::Float(_, value) => encoded.float(attribute::FLOAT, *value),
                Attribute::Text(_, value) => encoded.text(attribute::TEXT, value),
            }
            encoded.int(attribute::KIND, kind);
            message.message(node::ATTRIBUTE, &encoded);
        }
        self.nodes.push(message);
    }

    /// A tensor of `f32`; `name` is not taken yet.
    pub(super) fn tensor(&mut self, name: &str, shape: &[usize], values: &[f32]) -> String {
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        self.constant(name, Element::Float, shape, &bytes)
    }

    /// A tensor of `f32` with a new name.
    pub(super) fn floats(&mut self, shape: &[usize], values: &[f32]) -> String {
        let name = self.fresh("values");
        self.tensor(&name, shape, values)
    }

    /// A tensor of `f64` with a new name.
    pub(super) fn doubles(&mut self, shape: &[usize], values: &[f64]) -> String {
        let name = self.fresh("values");
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        self.constant(&name, Element::Double, shape, &bytes)
    }

    /// A vector of whole numbers with a new name.
    pub(super) fn integers(&mut self, values: &[i64]) -> String {
        let name = self.fresh("sizes");
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        self.constant(&name, Element::Int64, &[values.len()], &bytes)
    }

    fn constant(&mut self, name: &str, element: Element, shape: &[usize], bytes: &[u8]) -> String {
        use field::tensor;
        let mut message = Message::new();
        for &axis in shape {
            message.int(tensor::DIMENSION, size(axis));
        }
        message.int(tensor::ELEMENT, element as i64);
        message.text(tensor::NAME, name);
        message.bytes(tensor::BYTES, bytes);
        self.tensors.push(message);
        name.into()
    }

    /// The file, with `metadata` as pairs of names and values.
    pub(super) fn into_model(
        self,
        name: &str,
        version: &str,
        metadata: &[(&str, String)],
    ) -> Vec<u8> {
        use field::{entry, graph, model, operators};
        let mut own = Message::new();
        self.nodes
            .iter()
            .for_each(|node| own.message(graph::NODE, node));
        own.text(graph::NAME, name);
        self.tensors
            .iter()
            .for_each(|tensor| own.message(graph::TENSOR, tensor));
        self.inputs
            .iter()
            .for_each(|input| own.message(graph::INPUT, input));
        self.outputs
            .iter()
            .for_each(|output| own.message(graph::OUTPUT, output));
        let mut file = Message::new();
        file.int(model::IR_VERSION, IR_VERSION);
        file.text(model::PRODUCER, "sgt");
        file.text(model::PRODUCER_VERSION, version);
        file.message(model::GRAPH, &own);
        let mut set = Message::new();
        set.int(operators::VERSION, OPERATORS);
        file.message(model::OPERATORS, &set);
        for (key, value) in metadata {
            let mut pair = Message::new();
            pair.text(entry::KEY, key);
            pair.text(entry::VALUE, value);
            file.message(model::METADATA, &pair);
        }
        file.into_bytes()
    }
}

fn described(name: &str, element: Element, axes: &[Axis]) -> Message {
    use field::value;
    let mut shape = Message::new();
    for axis in axes {
        let mut own = Message::new();
        match axis {
            Axis::Free(name) => own.text(value::FREE, name),
            Axis::Size(axis) => own.int(value::SIZE, size(*axis)),
        }
        shape.message(value::DIMENSION, &own);
    }
    let mut tensor = Message::new();
    tensor.int(value::ELEMENT, element as i64);
    tensor.message(value::SHAPE, &shape);
    let mut kind = Message::new();
    kind.message(value::TENSOR, &tensor);
    let mut message = Message::new();
    message.text(value::NAME, name);
    message.message(value::TYPE, &kind);
    message
}
