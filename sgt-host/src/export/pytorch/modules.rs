//! The tree of a network's modules under PyTorch's paths.

use super::python::{Expression, INDENT, is_attribute, string};
use crate::{Error, Result};

/// Modules by name: those that are known in the order in which they became so, then the others.
#[derive(Debug, Default)]
pub(super) struct Modules {
    children: Vec<(String, Node)>,
    /// How many children are known.
    known: usize,
}

#[derive(Debug)]
enum Node {
    /// A layer's module, once it is known.
    Layer(Option<Expression>),
    /// Modules that only lend their names.
    Group(Modules),
}

impl Modules {
    /// Reserves `path`, dotted, for a layer.
    ///
    /// # Errors
    /// [`Error::Argument`] when no module of PyTorch can be there.
    pub(super) fn reserve(&mut self, path: &str) -> Result<()> {
        let refuse = |found: &str, expected: &str| Error::Argument {
            argument: format!("layer {path}"),
            found: found.into(),
            expected: expected.into(),
        };
        for part in path.split('.') {
            if part.is_empty() {
                return Err(refuse("an empty part of its name", "parts between dots"));
            }
            if is_reserved(part) {
                let expected = "a name that PyTorch's modules do not use themselves";
                return Err(refuse(&format!("the part {part} of its name"), expected));
            }
        }
        if !self.insert(path) {
            let expected = "layers of which none is a part of another";
            return Err(refuse("another layer on its way", expected));
        }
        Ok(())
    }

    /// Makes room for a layer at `path`; false when another one is on its way.
    fn insert(&mut self, path: &str) -> bool {
        let (part, rest) = first_part(path);
        let known = self.children.iter_mut().find(|(name, _)| name == part);
        match (known, rest) {
            (Some((_, Node::Group(group))), Some(rest)) => group.insert(rest),
            (Some(_), _) => false,
            (None, None) => {
                self.children.push((part.into(), Node::Layer(None)));
                true
            }
            (None, Some(rest)) => {
                let mut group = Self::default();
                group.insert(rest);
                self.children.push((part.into(), Node::Group(group)));
                true
            }
        }
    }

    /// Whether nothing at the top is called `name`.
    pub(super) fn is_free(&self, name: &str) -> bool {
        !is_reserved(name) && self.children.iter().all(|(child, _)| child != name)
    }

    /// Says what module is at a reserved path.
    pub(super) fn define(&mut self, path: &str, module: Expression) {
        let (part, rest) = first_part(path);
        let Some(mut place) = self.children.iter().position(|(name, _)| name == part) else {
            return;
        };
        if place >= self.known {
            self.children[self.known..=place].rotate_right(1);
            place = self.known;
            self.known += 1;
        }
        match (&mut self.children[place].1, rest) {
            (Node::Group(group), Some(rest)) => group.define(rest, module),
            (Node::Layer(layer), None) => *layer = Some(module),
            _ => {}
        }
    }

    /// The expression for the module at a reserved path: `self.layer1[0].conv1`.
    pub(super) fn access(&self, path: &str) -> String {
        let mut access = String::from("self");
        // Parts that can stand neither behind a dot nor between brackets.
        let mut rest = String::new();
        let mut modules = Some(self);
        for (depth, part) in path.split('.').enumerate() {
            let is_list = depth > 0 && modules.is_some_and(Self::is_list);
            if !rest.is_empty() || !(is_list || is_attribute(part)) {
                if !rest.is_empty() {
                    rest.push('.');
                }
                rest.push_str(part);
            } else if is_list {
                access = format!("{access}[{part}]");
            } else {
                access = format!("{access}.{part}");
            }
            let child = modules.and_then(|modules| modules.child(part));
            modules = match child {
                Some(Node::Group(group)) => Some(group),
                _ => None,
            };
        }
        if rest.is_empty() {
            return access;
        }
        format!("{access}.get_submodule({})", string(&rest))
    }

    fn child(&self, name: &str) -> Option<&Node> {
        let child = self.children.iter().find(|(child, _)| child == name);
        child.map(|(_, node)| node)
    }

    /// The statements of `__init__` that make the modules.
    pub(super) fn statements(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (name, node) in &self.children {
            let module = node.expression();
            if is_attribute(name) {
                module.lay_out(2 * INDENT, &format!("self.{name} = "), "", &mut lines);
            } else {
                let front = format!("self.add_module({}, ", string(name));
                module.lay_out(2 * INDENT, &front, ")", &mut lines);
            }
        }
        lines
    }

    /// Whether a module at the top is a [`GROUP`].
    pub(super) fn has_group(&self) -> bool {
        self.children.iter().any(|(_, node)| match node {
            Node::Layer(_) => false,
            Node::Group(modules) => !modules.is_list() || modules.has_group(),
        })
    }

    /// Whether the children are 0, 1, … in any order.
    fn is_list(&self) -> bool {
        (0..self.children.len()).all(|index| {
            let index = index.to_string();
            self.children.iter().any(|(name, _)| *name == index)
        })
    }

    fn expression(&self) -> Expression {
        let mut children: Vec<_> = self.children.iter().collect();
        let item = |front: String, node: &Node| (front, node.expression());
        if self.is_list() {
            children.sort_by_key(|(name, _)| name.parse::<usize>().unwrap_or_default());
            let items = children.iter().map(|(_, node)| item(String::new(), node));
            return Expression::Items {
                open: "nn.ModuleList([".into(),
                items: items.collect(),
                close: "])",
            };
        }
        if children.iter().all(|(name, _)| is_attribute(name)) {
            let items = children.iter();
            let items = items.map(|(name, node)| item(format!("{name}="), node));
            return Expression::Items {
                open: "Group(".into(),
                items: items.collect(),
                close: ")",
            };
        }
        let items = children.iter();
        let items = items.map(|(name, node)| item(format!("{}: ", string(name)), node));
        Expression::Items {
            open: "Group(**{".into(),
            items: items.collect(),
            close: "})",
        }
    }
}

/// What stands in front of the first dot, and what behind it.
fn first_part(path: &str) -> (&str, Option<&str>) {
    match path.split_once('.') {
        Some((part, rest)) => (part, Some(rest)),
        None => (path, None),
    }
}

impl Node {
    fn expression(&self) -> Expression {
        match self {
            Self::Layer(Some(module)) => module.clone(),
            Self::Layer(None) => Expression::Atom("nn.Identity()".into()),
            Self::Group(modules) => modules.expression(),
        }
    }
}

/// What a [`Modules`] without numbers for names is in Python.
pub(super) const GROUP: &str = r#"class Group(nn.Module):
    """Modules by name, where the dotted names of the weights have a dot."""

    def __init__(self, /, **modules):
        super().__init__()
        for name, module in modules.items():
            self.add_module(name, module)
"#;

/// Attributes that every module of PyTorch has: no module inside it can be called so.
const RESERVED: &str = "\
    T_destination _apply _backward_hooks _backward_pre_hooks _buffers _call_impl \
    _compiled_call_impl _forward_hooks _forward_hooks_always_called \
    _forward_hooks_with_kwargs _forward_pre_hooks _forward_pre_hooks_with_kwargs \
    _get_backward_hooks _get_backward_pre_hooks _get_name _is_full_backward_hook \
    _load_from_state_dict _load_state_dict_post_hooks _load_state_dict_pre_hooks \
    _maybe_warn_non_full_backward_hook _modules _named_members _non_persistent_buffers_set \
    _parameters _register_load_state_dict_pre_hook _register_state_dict_hook \
    _replicate_for_data_parallel _save_to_state_dict _slow_forward _state_dict_hooks \
    _state_dict_pre_hooks _version _wrapped_call_impl add_module apply bfloat16 buffers \
    call_super_init children compile cpu cuda double dump_patches eval extra_repr float \
    forward get_buffer get_extra_state get_parameter get_submodule half ipu load_state_dict \
    modules mtia named_buffers named_children named_modules named_parameters parameters \
    register_backward_hook register_buffer register_forward_hook register_forward_pre_hook \
    register_full_backward_hook register_full_backward_pre_hook \
    register_load_state_dict_post_hook register_load_state_dict_pre_hook register_module \
    register_parameter register_state_dict_post_hook register_state_dict_pre_hook \
    requires_grad_ set_extra_state set_submodule share_memory state_dict to to_empty train \
    training type xpu zero_grad";

fn is_reserved(name: &str) -> bool {
    let special = name.starts_with("__") && name.ends_with("__");
    special || RESERVED.split(' ').any(|reserved| reserved == name)
}
